-- Whether all experiments of a stream are split and in their first phase, and no unit was forgotten; and whether
-- units met one experiment only, each in one arm; the experiment is known to have been alone through alone_through_ms.
SELECT (SELECT count() FROM tombstones WHERE stream = {stream:String}) = 0
  AND (
    SELECT countIf(design = 'paired' OR phases > 1) = 0
    FROM (SELECT argMax(design, version) AS design, uniqExact(phase) AS phases FROM experiment_versions WHERE stream = {stream:String} GROUP BY experiment)
  ) AS is_plain,
  is_plain
  AND (
    SELECT countIf(experiment != {experiment:String}) = 0
    FROM exposures
    WHERE stream = {stream:String} AND arrival_ts > fromUnixTimestamp64Milli({alone_through_ms:Int64}, 'UTC')
  )
  AND /* units alone */ AS is_alone
