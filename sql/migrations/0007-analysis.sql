-- What a verdict is worked out from: tables that an analysis fills, reads and drops by partition.
-- They hold nothing that cannot be made again from facts; units are there by a hash.

CREATE TABLE analysis_units (
  workspace String COMMENT 'one analysis, or a running one that is brought up to date',
  key UInt128 COMMENT 'hash of the unit',
  variant LowCardinality(String),
  is_crossover Bool,
  first_ms Int64 COMMENT 'first exposure of the phase',
  first_id FixedString(16),
  left_ms Int64 COMMENT 'first exposure of a later phase',
  forgotten_ms Int64,
  step UInt32 COMMENT 'the newest row of a key counts'
) ENGINE = ReplacingMergeTree(step)
PARTITION BY workspace
ORDER BY key;

CREATE TABLE analysis_values (
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
) ENGINE = MergeTree
PARTITION BY workspace
ORDER BY tuple();

CREATE TABLE analysis_totals (
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
) ENGINE = ReplacingMergeTree(step)
PARTITION BY workspace
ORDER BY (key, variant);

CREATE TABLE analysis_values_seen (
  workspace String,
  metric UInt16,
  value Float64,
  variant LowCardinality(String),
  count Int64 COMMENT 'changes; their sum is how often the value occurs',
  step UInt32
) ENGINE = MergeTree
PARTITION BY workspace
ORDER BY (metric, value);

CREATE TABLE analysis_pairs (
  workspace String,
  metric UInt16,
  treatment LowCardinality(String),
  is_pair Bool COMMENT 'both variants have a value',
  control Float64 COMMENT 'mean of the item under control, nan without',
  variant Float64,
  cluster UInt128 COMMENT 'unit of the pair; one unit may have several pairs'
) ENGINE = MergeTree
PARTITION BY workspace
ORDER BY (metric, treatment, is_pair);
