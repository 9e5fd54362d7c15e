-- Whether all experiments of a stream are split and in their first phase, and no unit was forgotten; and whether
-- units met one experiment only, each in one arm.
SELECT (SELECT count() FROM tombstones WHERE stream = {stream:String}) = 0
  AND (
    SELECT countIf(design = 'paired' OR phases > 1) = 0
    FROM (SELECT argMax(design, version) AS design, uniqExact(phase) AS phases FROM experiment_versions WHERE stream = {stream:String} GROUP BY experiment)
  ) AS is_plain,
  is_plain
  AND (SELECT countIf(experiment != {experiment:String}) = 0 FROM exposures WHERE stream = {stream:String})
  AND (SELECT countIf(is_crossover OR variant = '') = 0 FROM analysis_units FINAL WHERE workspace = {workspace:String}) AS is_alone
