-- Windows of several experiments at once, each of one size and phase, by their ends; asks is
-- [(experiment, phase, size_ms, end_ms), …]. Straight from the two tables by their keys: the views
-- plan for longer than this runs. The others than closed slices come from the workers' memory.
WITH
  (SELECT max(through_ts) FROM closings WHERE stream = {stream:String} AND kind = 'close') AS closed_through,
  fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AS from_ts,
  fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') AS to_ts,
  pieces AS (
    SELECT experiment, phase, variant, metric, toUnixTimestamp64Milli(slice_start) AS start_ms, n,
      toFloat64(extra_weight) / 1e6 AS extra_n, toFloat64(extra_sum_q) / exp10(scale + 6) AS extra_sum, toFloat64(extra_denominator_sum_q) / exp10(scale + 6) AS extra_denominator,
      toFloat64(sum_q) / exp10(scale) AS sum, toFloat64(denominator_sum_q) / exp10(scale) AS denominator,
      toFloat64(sum_squares_q) / exp10(2 * scale) AS squares, min, max, histogram, mapKeys(extra_buckets) AS sampled,
      arrayMap(w -> toFloat64(w), mapValues(extra_buckets)) AS weights, arrayMap(w -> toFloat64(w), mapValues(extra_squares)) AS weight_squares
    FROM /* closed slices */
    WHERE stream = {stream:String} AND experiment IN {experiments:Array(String)} AND slice_start >= from_ts AND slice_start < to_ts
      AND metric IN {metrics:Array(String)} AND dimension = '' AND n > 0 /* as closed */
    UNION ALL
    SELECT experiment, phase, variant, metric, toUnixTimestamp64Milli(slice_start) AS start_ms, n,
      extra_weight / 1e6 AS extra_n, provisional_slices.extra_sum / 1e6 AS extra_sum, extra_denominator_sum / 1e6 AS extra_denominator,
      sum, denominator_sum AS denominator, m2 + sum * sum / n AS squares, min, max, histogram, mapKeys(extra_buckets), mapValues(extra_buckets), mapValues(extra_squares)
    FROM provisional_slices FINAL
    WHERE stream = {stream:String} AND experiment IN {experiments:Array(String)} AND slice_start >= greatest(from_ts, closed_through) AND slice_start < to_ts
      AND metric IN {metrics:Array(String)} AND dimension = '' AND n > 0
  ),
  asked AS (
    SELECT ask.1 AS experiment, ask.2 AS phase, ask.3 AS size_ms, ask.4 AS end_ms
    FROM (SELECT arrayJoin({asks:Array(Tuple(String, UInt32, Int64, Int64))}) AS ask)
  )
SELECT experiment, phase, variant, metric, end_ms - size_ms AS window_start, end_ms AS window_end,
  sum(n) AS total_n, sum(pieces.sum) AS total, sum(denominator) AS total_denominator, sum(squares) AS total_squares,
  sum(extra_n) AS total_extra_n, sum(pieces.extra_sum) AS total_extra, sum(extra_denominator) AS total_extra_denominator, min(pieces.min) AS lowest, max(pieces.max) AS highest,
  sumMap(mapKeys(histogram), mapValues(histogram)) AS buckets, sumMap(sampled, weights, weight_squares) AS sampled_buckets, end_ms <= toUnixTimestamp64Milli(closed_through) AS is_closed
FROM pieces
INNER JOIN asked ON asked.experiment = pieces.experiment AND asked.phase = pieces.phase
WHERE start_ms >= end_ms - size_ms AND start_ms < end_ms
GROUP BY experiment, phase, variant, metric, size_ms, end_ms
ORDER BY experiment, window_end, variant, metric;
