-- Whether all experiments of a stream are split and in their first phase, and no unit was forgotten.
SELECT (SELECT count() FROM tombstones WHERE stream = {stream:String}) = 0
  AND (
    SELECT countIf(design = 'paired' OR phases > 1) = 0
    FROM (SELECT argMax(design, version) AS design, uniqExact(phase) AS phases FROM experiment_versions WHERE stream = {stream:String} GROUP BY experiment)
  ) AS is_plain
