-- The tables of Assay for a ClickHouse cluster of one shard and several replicas, to be run once before the
-- first start (docs/OPERATIONS.md, "A ClickHouse cluster"). Written from sql/migrations; a test compares.
-- Views, and tables of later versions, are made by Assay itself; the database replicates them.
--
--   clickhouse-client --queries-file replicated.sql
CREATE DATABASE IF NOT EXISTS assay ENGINE = Replicated('/clickhouse/databases/assay', '{shard}', '{replica}');

CREATE TABLE IF NOT EXISTS assay.schema_migrations (
    version UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
  ) ENGINE = ReplicatedReplacingMergeTree ORDER BY version
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.migration_lock (
    holder String,
    step LowCardinality(String) COMMENT 'choosing | waiting | released',
    number UInt64,
    at DateTime64(3, 'UTC') DEFAULT now64(3)
  ) ENGINE = ReplicatedMergeTree ORDER BY at
  TTL toDateTime(at) + INTERVAL 1 DAY;

CREATE TABLE IF NOT EXISTS assay.exposures (
  stream LowCardinality(String) COMMENT 'stream the event came from; streams never mix',
  event_id FixedString(16) COMMENT 'UUIDv7, bytes',
  unit_id String COMMENT 'what is randomised',
  experiment LowCardinality(String),
  variant LowCardinality(String),
  phase UInt32 COMMENT 'stretch of unchanged split the exposure was made in',
  event_ts DateTime64(3, 'UTC') COMMENT 'when the unit met its variant',
  config_version UInt32,
  reason LowCardinality(String) COMMENT 'assigned | override | fallback; only assigned counts',
  item_id Nullable(String),
  session_id Nullable(String),
  sample_rate Float64,
  trace_id String,
  attributes Map(LowCardinality(String), String),
  append_ts DateTime64(3, 'UTC') COMMENT 'timestamp of the record in the log',
  arrival_ts DateTime64(3, 'UTC') COMMENT 'running maximum of append_ts in the partition',
  log_epoch UInt16,
  partition UInt16,
  offset UInt64,
  version UInt128 COMMENT 'bitNot of (arrival_ts, log_epoch, partition, offset): the earliest copy wins',
  INDEX arrival_range arrival_ts TYPE minmax GRANULARITY 4
) ENGINE = ReplicatedReplacingMergeTree(version)
PARTITION BY (stream, toYYYYMM(fromUnixTimestamp64Milli(toInt64(reinterpretAsUInt64(reverse(substring(event_id, 1, 6)))), 'UTC')))
ORDER BY (stream, unit_id, event_id)
SETTINGS index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.outcomes (
  stream LowCardinality(String) COMMENT 'stream the event came from; streams never mix',
  event_id FixedString(16) COMMENT 'UUIDv7, bytes',
  unit_id String,
  event_ts DateTime64(3, 'UTC') COMMENT 'when the outcome was measured',
  item_id Nullable(String) COMMENT 'the item both variants answered',
  variant_hint Map(LowCardinality(String), LowCardinality(String)) COMMENT 'experiment to variant, when the caller knew it',
  measures Map(LowCardinality(String), Float64),
  status LowCardinality(String) COMMENT 'ok | client_error | server_error | timeout',
  sample_rate Float64,
  trace_id String,
  attributes Map(LowCardinality(String), String),
  append_ts DateTime64(3, 'UTC'),
  arrival_ts DateTime64(3, 'UTC'),
  log_epoch UInt16,
  partition UInt16,
  offset UInt64,
  version UInt128,
  INDEX event_range event_ts TYPE minmax GRANULARITY 1,
  INDEX arrival_range arrival_ts TYPE minmax GRANULARITY 1
) ENGINE = ReplicatedReplacingMergeTree(version)
PARTITION BY (stream, toYYYYMM(fromUnixTimestamp64Milli(toInt64(reinterpretAsUInt64(reverse(substring(event_id, 1, 6)))), 'UTC')))
ORDER BY (stream, intDiv(reinterpretAsUInt64(reverse(substring(event_id, 1, 6))), 3600000), intDiv(reinterpretAsUInt64(reverse(substring(event_id, 1, 6))), 60000), unit_id, event_id)
SETTINGS index_granularity = 2048, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.arrivals (
  stream LowCardinality(String),
  log_epoch UInt16,
  partition UInt16,
  offset UInt64,
  kind LowCardinality(String) COMMENT 'exposure | outcome | tick | dead_letter | forgotten',
  append_ts DateTime64(3, 'UTC'),
  arrival_ts DateTime64(3, 'UTC'),
  id_hash UInt64 COMMENT 'xxh64 of (kind, unit_id, event_id); 0 for ticks and dead letters',
  payload_hash UInt64 COMMENT 'xxh64 of the record',
  code LowCardinality(String) COMMENT 'dead-letter code, otherwise empty'
) ENGINE = ReplicatedReplacingMergeTree
PARTITION BY stream
ORDER BY (stream, log_epoch, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.dead_letters (
  stream LowCardinality(String),
  log_epoch UInt16,
  partition UInt16,
  offset UInt64,
  last_offset UInt64 COMMENT 'of a range that could not be read at all',
  code LowCardinality(String),
  message String,
  key Nullable(String),
  value String COMMENT 'the record as it came, bytes',
  append_ts DateTime64(3, 'UTC'),
  arrival_ts DateTime64(3, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree
PARTITION BY stream
ORDER BY (stream, log_epoch, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.tombstones (
  stream LowCardinality(String),
  unit_id String,
  arrival_ts DateTime64(3, 'UTC') COMMENT 'covers the unit''s events that arrived up to here',
  reason String
) ENGINE = ReplicatedReplacingMergeTree
ORDER BY (stream, unit_id, arrival_ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.provisional_slices (
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
) ENGINE = ReplicatedReplacingMergeTree(last_offset)
PARTITION BY stream
ORDER BY (stream, experiment, slice_start, phase, variant, metric, dimension, dimension_value, log_epoch, partition);

CREATE TABLE IF NOT EXISTS assay.slices (
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
) ENGINE = ReplicatedReplacingMergeTree
PARTITION BY stream
ORDER BY (stream, experiment, slice_start, phase, variant, metric, dimension, dimension_value, is_revision, cut_ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.closings (
  stream LowCardinality(String),
  kind LowCardinality(String) COMMENT 'close | revise',
  from_ts DateTime64(3, 'UTC') COMMENT 'close: first slice; revise: cut of the previous revision',
  through_ts DateTime64(3, 'UTC') COMMENT 'close: end of the last slice closed',
  cut_ts DateTime64(3, 'UTC') COMMENT 'close: through + L; revise: the cut of its slices',
  slices UInt32,
  committed Array(Tuple(log_epoch UInt16, partition UInt16, offset UInt64)) COMMENT 'evidence, not part of the answer',
  config_versions Map(String, UInt32),
  written_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplicatedReplacingMergeTree(written_at)
ORDER BY (stream, kind, through_ts, cut_ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.streams (
  stream String,
  kind LowCardinality(String) COMMENT 'live | import | simulation',
  topic String,
  lateness_ms UInt64 COMMENT 'L: an outcome arriving later than this after its slice''s end is late',
  slice_ms UInt64,
  max_age_ms Nullable(UInt64),
  partitions UInt16
) ENGINE = ReplicatedReplacingMergeTree
ORDER BY stream
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.experiment_versions (
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
) ENGINE = ReplicatedReplacingMergeTree
ORDER BY (stream, experiment, version)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.verdicts (
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
) ENGINE = ReplicatedMergeTree
ORDER BY (stream, experiment, metric, variant, created_at, verdict_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.deliveries (
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
) ENGINE = ReplicatedReplacingMergeTree
ORDER BY (delivery_id, attempt, state)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.alerts (
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
) ENGINE = ReplicatedReplacingMergeTree
ORDER BY (stream, rule, experiment, variant, alert_id, changed_at, state)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.forgotten_events (
  stream LowCardinality(String),
  id_hash UInt64 COMMENT 'as in arrivals',
  event_ts DateTime64(3, 'UTC') COMMENT 'when the event happened',
  kind LowCardinality(String) COMMENT 'exposure | outcome',
  forgotten_ts DateTime64(3, 'UTC') COMMENT 'arrival_ts of the tombstone that covers it',
  unverifiable_ts DateTime64(3, 'UTC') COMMENT 'recomputes with a cut up to here may have counted the event'
) ENGINE = ReplicatedReplacingMergeTree
PARTITION BY stream
ORDER BY (stream, id_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS assay.analysis_units (
  workspace String COMMENT 'one analysis, or a running one that is brought up to date',
  key UInt128 COMMENT 'hash of the unit',
  variant LowCardinality(String),
  is_crossover Bool,
  first_ms Int64 COMMENT 'first exposure of the phase',
  first_id FixedString(16),
  left_ms Int64 COMMENT 'first exposure of a later phase',
  forgotten_ms Int64,
  step UInt32 COMMENT 'the newest row of a key counts'
) ENGINE = ReplicatedReplacingMergeTree(step)
PARTITION BY workspace
ORDER BY key;

CREATE TABLE IF NOT EXISTS assay.analysis_values (
  workspace String,
  sign Int8 COMMENT '-1 takes an outcome back that counted at the step before',
  key UInt128,
  variant LowCardinality(String),
  item UInt128 COMMENT 'hash of the item, 0 without',
  event_ms Int64,
  is_late Bool,
  present UInt64 COMMENT 'bit i: the outcome has a value for metric i',
  value Array(Float64),
  denominator Array(Float64) COMMENT 'of ratios; empty when no metric is one'
) ENGINE = ReplicatedMergeTree
PARTITION BY workspace
ORDER BY tuple();

CREATE TABLE IF NOT EXISTS assay.analysis_totals (
  workspace String,
  key UInt128,
  variant LowCardinality(String),
  outcomes UInt64,
  outcomes_late UInt64,
  seen_ms Int64 COMMENT 'first outcome, with or without a value',
  n Array(UInt64) COMMENT 'by metric: outcomes with a value',
  sum_q Array(Int128),
  denominator_q Array(Int128),
  from_ms Array(Int64),
  to_ms Array(Int64),
  step UInt32
) ENGINE = ReplicatedReplacingMergeTree(step)
PARTITION BY workspace
ORDER BY (key, variant);

CREATE TABLE IF NOT EXISTS assay.analysis_values_seen (
  workspace String,
  metric UInt16,
  value Float64,
  variant LowCardinality(String),
  count Int64 COMMENT 'changes; their sum is how often the value occurs',
  step UInt32
) ENGINE = ReplicatedMergeTree
PARTITION BY workspace
ORDER BY (metric, value);

CREATE TABLE IF NOT EXISTS assay.analysis_pairs (
  workspace String,
  metric UInt16,
  treatment LowCardinality(String),
  is_pair Bool COMMENT 'both variants have a value',
  control Float64 COMMENT 'mean of the item under control, nan without',
  variant Float64,
  cluster UInt128 COMMENT 'unit of the pair; one unit may have several pairs'
) ENGINE = ReplicatedMergeTree
PARTITION BY workspace
ORDER BY (metric, treatment, is_pair);

CREATE TABLE IF NOT EXISTS assay.analysis_outcomes (
  workspace LowCardinality(String),
  sign Int8 COMMENT '-1 takes an outcome back that counted at the step before',
  key UInt128 CODEC(NONE),
  variant LowCardinality(String),
  item UInt128 COMMENT 'hash of the item, 0 without',
  event_ms Int64,
  is_late Bool,
  present UInt64 COMMENT 'bit i: the outcome has a value for metric i',
  value Array(Float64) CODEC(NONE),
  denominator Array(Float64) COMMENT 'of ratios; empty when no metric is one',
  weight Int64 DEFAULT 1000000
) ENGINE = ReplicatedMergeTree
PARTITION BY workspace
ORDER BY tuple()
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1;

CREATE TABLE IF NOT EXISTS assay.analysis_weights_seen (
  workspace String,
  metric UInt16,
  key UInt128,
  variant LowCardinality(String),
  value Float64,
  weight Int64 COMMENT '1 / sample_rate in millionths',
  count Int64 COMMENT 'changes; their sum is how often the unit has the value with that weight',
  step UInt32
) ENGINE = ReplicatedMergeTree
PARTITION BY workspace
ORDER BY (metric, value);

CREATE TABLE IF NOT EXISTS assay.analysis_answers (
  workspace LowCardinality(String),
  sign Int8 COMMENT '-1 takes an outcome back that counted at the step before',
  key UInt128 COMMENT 'hash of the unit' CODEC(NONE),
  arm UInt8 COMMENT 'place of its variant in a list that the step has, from 1',
  event_ms Int64 CODEC(NONE),
  is_late Bool,
  present UInt64 COMMENT 'bit i: the outcome has a value for metric i',
  value Array(Float64) COMMENT 'by metric; then the denominators of ratios' CODEC(NONE),
  weight Int64
) ENGINE = ReplicatedMergeTree
PARTITION BY workspace
ORDER BY tuple()
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1, min_bytes_for_wide_part = 1000000000000, min_rows_for_wide_part = 1000000000000;

CREATE TABLE IF NOT EXISTS assay.analysis_items (
  workspace LowCardinality(String),
  key UInt128 COMMENT 'hash of the unit' CODEC(NONE),
  arm UInt8,
  item UInt128 COMMENT 'hash of the item, 0 without' CODEC(NONE),
  event_ms Int64 CODEC(NONE),
  is_late Bool,
  present UInt64,
  value Array(Float64) CODEC(NONE),
  weight Int64
) ENGINE = ReplicatedMergeTree
PARTITION BY workspace
ORDER BY tuple()
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1, min_bytes_for_wide_part = 1000000000000, min_rows_for_wide_part = 1000000000000;

CREATE TABLE IF NOT EXISTS assay.analysis_recounts (
  workspace LowCardinality(String),
  key UInt128 CODEC(NONE),
  variant LowCardinality(String),
  outcomes UInt64,
  outcomes_late UInt64,
  seen_ms Int64,
  n Array(UInt64),
  sum_q Array(Int128) CODEC(NONE),
  denominator_q Array(Int128),
  from_ms Array(Int64),
  to_ms Array(Int64),
  step UInt32,
  weight_low Int64,
  weight_high Int64,
  weights Array(Int128),
  weight_least Array(Int64)
) ENGINE = ReplicatedMergeTree
PARTITION BY workspace
ORDER BY tuple()
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1, min_bytes_for_wide_part = 1000000000000, min_rows_for_wide_part = 1000000000000;

CREATE TABLE IF NOT EXISTS assay.analysis_item_pairs (
  workspace LowCardinality(String),
  metric UInt16,
  treatment LowCardinality(String),
  is_pair Bool COMMENT 'both variants have a value',
  control Float64 COMMENT 'mean of the item under control, nan without' CODEC(NONE),
  variant Float64 CODEC(NONE),
  cluster UInt128 COMMENT 'unit of the pair; one unit may have several pairs'
) ENGINE = ReplicatedMergeTree
PARTITION BY workspace
ORDER BY (metric, treatment, is_pair)
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1;

CREATE TABLE IF NOT EXISTS assay.analysis_pair_rows (
  pair_set LowCardinality(String) COMMENT 'one analysis, metric and two arms; other sets are of items with a value in one of these only',
  control Float64 COMMENT 'mean of the item under control, nan without' CODEC(NONE),
  variant Float64 CODEC(NONE),
  cluster UInt128 COMMENT 'unit of the pair; one unit may have several pairs',
  difference_steps Int64 COMMENT 'variant - control in steps of the decimal grid that the largest outcome tells' CODEC(NONE),
  size_class UInt8 COMMENT '2: a value is too large for that grid; 1: one is large enough for no finer grid; 0: neither'
) ENGINE = ReplicatedMergeTree
PARTITION BY pair_set
ORDER BY tuple()
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1;

CREATE TABLE IF NOT EXISTS assay.analysis_units_once (
  workspace LowCardinality(String) COMMENT 'one analysis',
  key UInt128 COMMENT 'hash of the unit' CODEC(NONE),
  variant LowCardinality(String),
  is_crossover Bool,
  first_ms Int64 COMMENT 'first exposure of the phase',
  left_ms Int64 COMMENT 'first exposure of a later phase',
  forgotten_ms Int64,
  weight Int64 COMMENT 'least of its exposures in the phase',
  step UInt32
) ENGINE = ReplicatedMergeTree
PARTITION BY workspace
ORDER BY tuple()
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1, min_bytes_for_wide_part = 1000000000000, min_rows_for_wide_part = 1000000000000;
