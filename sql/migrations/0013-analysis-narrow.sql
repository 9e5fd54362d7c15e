-- Each byte of an outcome that an analysis writes is paid for twice: the tables hold what their design needs and no names,
-- a part is one file, and what nothing repeats stays as it is.
DROP TABLE IF EXISTS analysis_outcomes;

CREATE TABLE IF NOT EXISTS analysis_answers (
  workspace LowCardinality(String),
  sign Int8 COMMENT '-1 takes an outcome back that counted at the step before',
  key UInt128 COMMENT 'hash of the unit' CODEC(NONE),
  arm UInt8 COMMENT 'place of its variant in a list that the step has, from 1',
  event_ms Int64 CODEC(NONE),
  is_late Bool,
  present UInt64 COMMENT 'bit i: the outcome has a value for metric i',
  value Array(Float64) COMMENT 'by metric; then the denominators of ratios' CODEC(NONE),
  weight Int64
) ENGINE = MergeTree
PARTITION BY workspace
ORDER BY tuple()
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1, min_bytes_for_wide_part = 1000000000000, min_rows_for_wide_part = 1000000000000;

CREATE TABLE IF NOT EXISTS analysis_items (
  workspace LowCardinality(String),
  key UInt128 COMMENT 'hash of the unit' CODEC(NONE),
  arm UInt8,
  item UInt128 COMMENT 'hash of the item, 0 without' CODEC(NONE),
  event_ms Int64 CODEC(NONE),
  is_late Bool,
  present UInt64,
  value Array(Float64) CODEC(NONE),
  weight Int64
) ENGINE = MergeTree
PARTITION BY workspace
ORDER BY tuple()
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1, min_bytes_for_wide_part = 1000000000000, min_rows_for_wide_part = 1000000000000;

-- As analysis_totals, for an analysis of one step: its rows replace none, and need no order.
CREATE TABLE IF NOT EXISTS analysis_recounts (
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
) ENGINE = MergeTree
PARTITION BY workspace
ORDER BY tuple()
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1, min_bytes_for_wide_part = 1000000000000, min_rows_for_wide_part = 1000000000000;

-- Pairs are written once and read a few times, too: unpacked, unmerged, and under a name that costs nothing to compare.
DROP TABLE IF EXISTS analysis_pairs;

CREATE TABLE IF NOT EXISTS analysis_item_pairs (
  workspace LowCardinality(String),
  metric UInt16,
  treatment LowCardinality(String),
  is_pair Bool COMMENT 'both variants have a value',
  control Float64 COMMENT 'mean of the item under control, nan without' CODEC(NONE),
  variant Float64 CODEC(NONE),
  cluster UInt128 COMMENT 'unit of the pair; one unit may have several pairs'
) ENGINE = MergeTree
PARTITION BY workspace
ORDER BY (metric, treatment, is_pair)
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1;
