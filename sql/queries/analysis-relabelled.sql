-- One arm cut in halves by chance, again and again: the exact sums of each half, metric by metric. Halves go by the
-- bits of a hash of the unit, so that the same units fall the same way each time; of many units a share is taken, also by hash.
WITH arm AS (
  SELECT units.key AS key, totals.n AS n, totals.sum_q AS sum_q, totals.denominator_q AS denominator_q
  FROM (
    SELECT key
    FROM analysis_units FINAL
    WHERE workspace = {workspace:String} AND NOT is_crossover AND variant = {variant:String}
      AND cityHash64(key, 'sample') % greatest(1, intDiv((
        SELECT count() FROM analysis_units FINAL WHERE workspace = {workspace:String} AND NOT is_crossover AND variant = {variant:String}
      ), {units_max:UInt32})) = 0
  ) AS units
  LEFT JOIN (
    SELECT key, n, sum_q, denominator_q
    FROM analysis_totals FINAL
    WHERE workspace = {workspace:String} AND variant = {variant:String} AND outcomes > 0
  ) AS totals ON units.key = totals.key
)
SELECT metric, relabelling, half, count() AS units, countIf(units_n > 0) AS units_with_outcome, sum(units_n) AS outcomes,
  toString(sum(s)) AS sum_q, toString(sum(d)) AS denominator_q,
  toString(sum(toInt256(s) * s)) AS unit_sum_squares_q, toString(sum(toInt256(d) * d)) AS unit_denominator_squares_q,
  toString(sum(toInt256(s) * d)) AS unit_cross_q
FROM (
  SELECT metric, relabelling, bitTest(cityHash64(key, intDiv(relabelling, 64)), relabelling % 64) AS half,
    n[least(metric, length(n))] AS units_n, sum_q[metric] AS s, denominator_q[least(metric, length(denominator_q))] AS d
  FROM arm
  ARRAY JOIN range(1, {metrics:UInt32} + 1) AS metric
  ARRAY JOIN range({relabellings:UInt32}) AS relabelling
)
GROUP BY metric, relabelling, half
ORDER BY metric, relabelling, half
