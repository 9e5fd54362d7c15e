/** Every metric of the worker, once: `assay_<stage>_<name>_<unit>[_total]`, labels from closed sets. */
export const WORKER_METRICS = {
  /** {stream, kind}: records decoded, by what they are. */
  records: 'assay_decode_records_total',
  /** {stream, code} */
  deadLetters: 'assay_decode_dead_letters_total',
  /** {stream}: records delivered again within one assignment, which the port excludes. */
  redelivered: 'assay_decode_redelivered_total',
  /** {stream, partition}: offsets the log skipped. */
  gaps: 'assay_decode_gap_offsets_total',
  /** {stream, partition} */
  lag: 'assay_log_lag_records',
  /** {stream} */
  lateEvents: 'assay_window_late_events_total',
  /** {stream}: outcomes whose unit was not looked up; the hint stood in. */
  unjoined: 'assay_window_provisional_unjoined_total',
  /** {stream}: contributions to keys beyond the cap, which wait for closing. */
  overflow: 'assay_window_provisional_overflow_total',
  /** {stream} */
  provisionalKeys: 'assay_window_provisional_keys',
  /** {stream}: units in the exposure cache, of at most LIMITS.exposureCacheUnitsMax. */
  cachedUnits: 'assay_worker_cached_units',
  /** {stream} */
  duplicateHints: 'assay_window_duplicates_skipped_total',
  /** {stream} */
  flushSeconds: 'assay_sink_flush_seconds',
  /** {stream} */
  flushedRows: 'assay_sink_rows_total',
  /** {stream, step} */
  flushRetries: 'assay_sink_retries_total',
  /** {stream} */
  pausedSeconds: 'assay_worker_paused_seconds_total',
  /** {stream} */
  bufferBytes: 'assay_worker_buffer_bytes',
  /** {stream} */
  oldestUnflushedSeconds: 'assay_worker_oldest_unflushed_seconds',
  /** {stream} */
  ticks: 'assay_worker_ticks_total',
  /** {stream} */
  rebuilds: 'assay_worker_rebuilds_total',
  /** 1 while every stream's worker runs. */
  ready: 'assay_worker_ready',
} as const;
