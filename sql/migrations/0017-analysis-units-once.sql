-- Units of an analysis that is made once: no row replaces another, so to sort them by their keys was half of writing them.
CREATE TABLE IF NOT EXISTS analysis_units_once (
  workspace LowCardinality(String) COMMENT 'one analysis',
  key UInt128 COMMENT 'hash of the unit' CODEC(NONE),
  variant LowCardinality(String),
  is_crossover Bool,
  first_ms Int64 COMMENT 'first exposure of the phase',
  left_ms Int64 COMMENT 'first exposure of a later phase',
  forgotten_ms Int64,
  weight Int64 COMMENT 'least of its exposures in the phase',
  step UInt32
) ENGINE = MergeTree
PARTITION BY workspace
ORDER BY tuple()
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1, min_bytes_for_wide_part = 1000000000000, min_rows_for_wide_part = 1000000000000;

-- Where every outcome has every metric, each has the same counts and times: they are written down once.
ALTER TABLE analysis_recounts COMMENT COLUMN IF EXISTS n 'by metric, or one element for all of them';
ALTER TABLE analysis_recounts COMMENT COLUMN IF EXISTS denominator_q 'by metric, or one element for all of them';
ALTER TABLE analysis_recounts COMMENT COLUMN IF EXISTS from_ms 'by metric, or one element for all of them';
ALTER TABLE analysis_recounts COMMENT COLUMN IF EXISTS to_ms 'by metric, or one element for all of them';
