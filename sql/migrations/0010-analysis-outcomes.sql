-- The outcomes of an analysis are written once and read a few times, so they are kept narrow and, where nothing
-- repeats, as they are: packing them took longer than all the sums over them. Nor are they worth a merge.
DROP TABLE IF EXISTS analysis_values;

CREATE TABLE analysis_outcomes (
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
) ENGINE = MergeTree
PARTITION BY workspace
ORDER BY tuple()
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1;

-- The first exposure's time alone decides: two of one millisecond are of one variant, or a crossover.
ALTER TABLE analysis_units DROP COLUMN IF EXISTS first_id;
