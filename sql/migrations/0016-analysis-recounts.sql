-- A first step is one pass from outcomes to units: the values of outcomes are counted in the same pass, and no outcome is written down.
ALTER TABLE analysis_recounts
  ADD COLUMN IF NOT EXISTS metric UInt16 COMMENT 'place of a metric, from 1, whose value the row counts; 0 of a unit''s row',
  ADD COLUMN IF NOT EXISTS value Float64,
  ADD COLUMN IF NOT EXISTS largest Array(Float64) COMMENT 'by metric: the largest |value|',
  ADD COLUMN IF NOT EXISTS present UInt64 COMMENT 'bits that every outcome of the unit has',
  ADD COLUMN IF NOT EXISTS left_out UInt64 COMMENT 'of the row without a unit: outcomes that count for none';
