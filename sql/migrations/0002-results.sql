-- Slices, closings, verdicts and what was said to whom.

CREATE TABLE provisional_slices (
  stream LowCardinality(String),
  experiment LowCardinality(String),
  slice_start DateTime64(3, 'UTC'),
  phase UInt32,
  variant LowCardinality(String),
  metric LowCardinality(String),
  dimension LowCardinality(String),
  dimension_value String,
  log_epoch UInt16,
  partition UInt16,
  last_offset UInt64 COMMENT 'outcomes of the partition up to here are in it; the highest wins',
  n UInt64,
  sum Float64,
  m2 Float64 COMMENT 'sum of squared deviations from the mean',
  min Float64,
  max Float64,
  denominator_sum Float64,
  histogram Map(Int16, UInt64) COMMENT 'bucket to count, edges 1.02^k'
) ENGINE = ReplacingMergeTree(last_offset)
PARTITION BY stream
ORDER BY (stream, experiment, slice_start, phase, variant, metric, dimension, dimension_value, log_epoch, partition);

CREATE TABLE slices (
  stream LowCardinality(String),
  experiment LowCardinality(String),
  slice_start DateTime64(3, 'UTC'),
  slice_end DateTime64(3, 'UTC'),
  phase UInt32,
  variant LowCardinality(String),
  metric LowCardinality(String),
  dimension LowCardinality(String) COMMENT 'empty for all outcomes together',
  dimension_value String,
  cut_ts DateTime64(3, 'UTC') COMMENT 'facts with arrival_ts up to here were read',
  is_revision Bool COMMENT 'false for the row written when the slice closed',
  n UInt64,
  scale UInt8 COMMENT 'sums are integers at 10^scale',
  sum_q Int256,
  sum_squares_q Int256,
  denominator_sum_q Int256,
  min Float64,
  max Float64,
  histogram Map(Int16, UInt64),
  config_version UInt32
) ENGINE = ReplacingMergeTree
PARTITION BY stream
ORDER BY (stream, experiment, slice_start, phase, variant, metric, dimension, dimension_value, is_revision, cut_ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE closings (
  stream LowCardinality(String),
  kind LowCardinality(String) COMMENT 'close | revise',
  from_ts DateTime64(3, 'UTC') COMMENT 'close: first slice; revise: cut of the previous revision',
  through_ts DateTime64(3, 'UTC') COMMENT 'close: end of the last slice closed',
  cut_ts DateTime64(3, 'UTC') COMMENT 'close: through + L; revise: the cut of its slices',
  slices UInt32,
  committed Array(Tuple(log_epoch UInt16, partition UInt16, offset UInt64)) COMMENT 'evidence, not part of the answer',
  config_versions Map(String, UInt32),
  written_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(written_at)
ORDER BY (stream, kind, through_ts, cut_ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE streams (
  stream String,
  kind LowCardinality(String) COMMENT 'live | import | simulation',
  topic String,
  lateness_ms UInt64 COMMENT 'L: an outcome arriving later than this after its slice''s end is late',
  slice_ms UInt64,
  max_age_ms Nullable(UInt64),
  partitions UInt16
) ENGINE = ReplacingMergeTree
ORDER BY stream
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE experiment_versions (
  stream LowCardinality(String),
  experiment LowCardinality(String),
  version UInt32,
  predecessor UInt32,
  phase UInt32,
  lifecycle LowCardinality(String),
  design LowCardinality(String),
  control LowCardinality(String),
  variants Map(String, Float64) COMMENT 'variant to weight',
  has_weights Bool,
  definition String COMMENT 'JSON',
  author String,
  reason String,
  valid_from DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (stream, experiment, version)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE verdicts (
  verdict_id String,
  created_at DateTime64(3, 'UTC'),
  stream LowCardinality(String),
  experiment LowCardinality(String),
  metric LowCardinality(String),
  variant LowCardinality(String),
  control LowCardinality(String),
  phase UInt32,
  decision LowCardinality(String),
  evidence_digest String,
  row String COMMENT 'the complete verdict, JSON'
) ENGINE = MergeTree
ORDER BY (stream, experiment, metric, variant, created_at, verdict_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE deliveries (
  delivery_id String,
  channel LowCardinality(String),
  subject String,
  body String,
  content_type LowCardinality(String),
  state LowCardinality(String) COMMENT 'due | delivered | failed | disabled',
  attempt UInt32,
  created_at DateTime64(3, 'UTC'),
  next_attempt_at Nullable(DateTime64(3, 'UTC')),
  changed_at DateTime64(3, 'UTC'),
  last_status Nullable(UInt16),
  last_error String,
  duration_ms Nullable(UInt32)
) ENGINE = ReplacingMergeTree
ORDER BY (delivery_id, attempt, state)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE alerts (
  alert_id String,
  stream LowCardinality(String),
  rule LowCardinality(String),
  experiment LowCardinality(String),
  variant LowCardinality(String),
  state LowCardinality(String),
  severity LowCardinality(String),
  value Nullable(Float64),
  threshold Nullable(Float64),
  window_start Nullable(DateTime64(3, 'UTC')),
  window_end Nullable(DateTime64(3, 'UTC')),
  reason String,
  context String COMMENT 'JSON',
  changed_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (stream, rule, experiment, variant, alert_id, changed_at, state)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
