/** Where the events of a stream are on their way to results. Times are ISO 8601. */
export type PipelineState = {
  readonly stream: string;
  readonly partitions: readonly PartitionState[];
  readonly lag_records: number;
  /** Everything that arrived up to here is durable; null while some partition has nothing. */
  readonly progress: string | null;
  readonly closed_through: string | null;
  readonly revised_cut: string | null;
  /** Of the workers in this process; null where it has none, and each worker shows its own at `/metrics`. */
  readonly paused_seconds: number | null;
  /** As the newest verdict says; null before the first. */
  readonly audit: {readonly mismatch: number | null; readonly slices_checked: number; readonly checked_at: string | null} | null;
  readonly versions: Readonly<Record<string, string>>;
};

export type PartitionState = {
  readonly partition: number;
  readonly log_epoch: number;
  readonly first_offset: string;
  readonly end_offset: string;
  readonly committed_offset: string;
  readonly lag_records: number;
  readonly progress: string | null;
};
