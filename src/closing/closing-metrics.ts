/** Every metric of closing and audit, once. Labels: {stream}. */
export const CLOSING_METRICS = {
  slices: 'assay_closing_slices_total',
  revised: 'assay_closing_revised_slices_total',
  rows: 'assay_closing_rows_total',
  roundSeconds: 'assay_closing_round_seconds',
  /** Arrival time up to which everything of the stream is durable. */
  progress: 'assay_closing_progress_timestamp_seconds',
  closedThrough: 'assay_closing_closed_through_timestamp_seconds',
  failures: 'assay_closing_failures_total',
  mismatch: 'assay_audit_mismatch_total',
  slicesChecked: 'assay_audit_slices_checked',
  gaps: 'assay_audit_gap_offsets',
} as const;
