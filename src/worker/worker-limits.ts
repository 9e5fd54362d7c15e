/** Bounds that only the worker knows, with their reasons; everything shared is in core/limits.ts. */
export const WORKER_LIMITS = {
  /** The loop looks around at least this often: a due flush, an idle partition, a stop. */
  pollMsMax: 100,
  /** A batch is decoded without a break; after this long other work of the process gets a turn. */
  turnMsMax: 10,
  /** Records wait in the log and none came for this long: the consumer hangs, build another. */
  stallMsMax: 60_000,
  /** Rows written for one unreadable range; a longer one (no broker makes it) shows as a gap. */
  unreadableRowsMax: 50_000,
  /** Larger dead letters go to the topic without their bytes (the warehouse has them), below a broker's 1 MiB. */
  deadLetterTopicBytesMax: 512 * 1024,
  /** Refused commits in a row without a `revoked` in between: the consumer is dead without knowing. */
  fencedCommitsMax: 3,
  /** What a row costs in memory beside its bytes, for the buffer's accounting. */
  rowOverheadBytes: 256,
  /** Units whose exposures a rebuild keeps between its look-ups. */
  rebuildCacheUnitsMax: 20_000,
  /** How soon a worker that writes knows of a tombstone. `forget` waits longer than this before it erases. */
  tombstonesEveryMs: 2_000,
  /** How soon the supervisor sees a new stream. */
  streamsPollMs: 250,
} as const;
