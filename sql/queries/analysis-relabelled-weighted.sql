-- As analysis-relabelled where events have several weights. Halves go by the
-- bits of a hash of the unit, so that the same units fall the same way each time; of many units a share is taken, also by hash.
WITH arm AS (
  SELECT units.key AS key, units.weight AS exposed, totals.n AS n, totals.sum_q AS sum_q, totals.denominator_q AS denominator_q,
    totals.weights AS weights, totals.weight_least AS weight_least
  FROM (
    SELECT key, weight
    FROM analysis_units FINAL
    WHERE workspace = {workspace:String} AND NOT is_crossover AND variant = {variant:String}
      AND cityHash64(key, 'sample') % greatest(1, intDiv((
        SELECT count() FROM analysis_units FINAL WHERE workspace = {workspace:String} AND NOT is_crossover AND variant = {variant:String}
      ), {units_max:UInt32})) = 0
  ) AS units
  LEFT JOIN (
    SELECT key, n, sum_q, denominator_q, weights, weight_least
    FROM analysis_totals FINAL
    WHERE workspace = {workspace:String} AND variant = {variant:String} AND outcomes > 0
  ) AS totals ON units.key = totals.key
)
SELECT metric, relabelling, half, count() AS units, countIf(units_n > 0) AS units_with_outcome, sum(units_n) AS outcomes,
  toString(sum(s)) AS sum_q, toString(sum(d)) AS denominator_q,
  toString(sum(toInt256(s) * s)) AS unit_sum_squares_q, toString(sum(toInt256(d) * d)) AS unit_denominator_squares_q,
  toString(sum(toInt256(s) * d)) AS unit_cross_q,
  toString(sum(weight_sum)) AS outcomes_weight, toString(sum(toInt256(s) * w)) AS exposed_cross_q,
  toString(sum(toInt128(c))) AS answered, toString(sum(toInt128(c) * c)) AS answered_squares, toString(sum(toInt128(c) * w)) AS answered_cross,
  toString(sum(toInt128(w))) AS units_weight, toString(sum(toInt128(w) * w)) AS units_weight_squares
FROM (
  SELECT metric, relabelling, bitTest(cityHash64(key, intDiv(relabelling, 64)), relabelling % 64) AS half,
    n[metric] AS units_n, sum_q[metric] AS s, denominator_q[metric] AS d,
    exposed AS w, weights[metric] AS weight_sum, if(units_n = 0, 0, weight_least[metric]) AS c
  FROM arm
  ARRAY JOIN range(1, {metrics:UInt32} + 1) AS metric
  ARRAY JOIN range({relabellings:UInt32}) AS relabelling
)
GROUP BY metric, relabelling, half
ORDER BY metric, relabelling, half
