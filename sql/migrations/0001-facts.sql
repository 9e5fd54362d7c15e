-- Facts, positions and dead letters. Sorting and partition keys hold identity only:
-- anything else from the payload there would let two copies of one event survive.
-- The minute in the key of outcomes came later; a store without it works, and closes slower.
-- former: 0a7999cb4016ad2a30c1cf5b50b0ad5b

CREATE TABLE exposures (
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
) ENGINE = ReplacingMergeTree(version)
PARTITION BY (stream, toYYYYMM(fromUnixTimestamp64Milli(toInt64(reinterpretAsUInt64(reverse(substring(event_id, 1, 6)))), 'UTC')))
ORDER BY (stream, unit_id, event_id)
SETTINGS index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE outcomes (
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
) ENGINE = ReplacingMergeTree(version)
PARTITION BY (stream, toYYYYMM(fromUnixTimestamp64Milli(toInt64(reinterpretAsUInt64(reverse(substring(event_id, 1, 6)))), 'UTC')))
ORDER BY (stream, intDiv(reinterpretAsUInt64(reverse(substring(event_id, 1, 6))), 3600000), intDiv(reinterpretAsUInt64(reverse(substring(event_id, 1, 6))), 60000), unit_id, event_id)
SETTINGS index_granularity = 2048, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE arrivals (
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
) ENGINE = ReplacingMergeTree
PARTITION BY stream
ORDER BY (stream, log_epoch, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE dead_letters (
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
) ENGINE = ReplacingMergeTree
PARTITION BY stream
ORDER BY (stream, log_epoch, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE tombstones (
  stream LowCardinality(String),
  unit_id String,
  arrival_ts DateTime64(3, 'UTC') COMMENT 'covers the unit''s events that arrived up to here',
  reason String
) ENGINE = ReplacingMergeTree
ORDER BY (stream, unit_id, arrival_ts)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
