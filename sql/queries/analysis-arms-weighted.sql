-- As analysis-arms where events have several weights, with the weight of each unit's exposure (w) and the least of
-- its outcomes (c). Paired experiments have no exposures: there a unit stands for as many as it does with outcomes.
SELECT variant, metric, count() AS units_with_outcome, sum(units_n) AS outcomes, toString(sum(s)) AS sum_q, toString(sum(d)) AS denominator_q,
  toString(sum(toInt256(s) * s)) AS unit_sum_squares_q, toString(sum(toInt256(d) * d)) AS unit_denominator_squares_q,
  toString(sum(toInt256(s) * d)) AS unit_cross_q, min(since) AS event_from, max(until) AS event_to,
  toString(sum(weight_sum)) AS outcomes_weight, toString(sum(toInt256(s) * w)) AS exposed_cross_q,
  toString(sum(toInt128(c))) AS answered, toString(sum(toInt128(c) * c)) AS answered_squares, toString(sum(toInt128(c) * w)) AS answered_cross
FROM (
  SELECT totals.variant AS variant, metric, units_n, s, d, since, until, weight_sum, c, if(units.weight = 0, c, units.weight) AS w
  FROM (
    SELECT key, variant, metric, units_n, s, d, since, until, weight_sum, c
    FROM analysis_totals FINAL
    ARRAY JOIN arrayEnumerate(n) AS metric, n AS units_n, sum_q AS s, denominator_q AS d, from_ms AS since, to_ms AS until,
      weights AS weight_sum, weight_least AS c
    WHERE workspace = {workspace:String} AND outcomes > 0
  ) AS totals
  LEFT JOIN (SELECT key, weight FROM analysis_units FINAL WHERE workspace = {workspace:String}) AS units ON totals.key = units.key
)
WHERE units_n > 0
GROUP BY variant, metric
