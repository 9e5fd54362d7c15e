-- A set of pairs has a partition to itself, and so have the items without a partner: its parts are all of it, and no row is
-- compared to find them.
DROP TABLE IF EXISTS analysis_item_pairs;

CREATE TABLE IF NOT EXISTS analysis_pair_rows (
  pair_set LowCardinality(String) COMMENT 'one analysis, metric and two arms; other sets are of items with a value in one of these only',
  control Float64 COMMENT 'mean of the item under control, nan without' CODEC(NONE),
  variant Float64 CODEC(NONE),
  cluster UInt128 COMMENT 'unit of the pair; one unit may have several pairs',
  difference_steps Int64 COMMENT 'variant - control in steps of the decimal grid that the largest outcome tells' CODEC(NONE),
  size_class UInt8 COMMENT '2: a value is too large for that grid; 1: one is large enough for no finer grid; 0: neither'
) ENGINE = MergeTree
PARTITION BY pair_set
ORDER BY tuple()
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1;
