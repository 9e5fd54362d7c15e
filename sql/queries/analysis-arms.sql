-- Exact sums over the units of each arm, metric by metric.
SELECT variant, metric, count() AS units_with_outcome, sum(units_n) AS outcomes, toString(sum(s)) AS sum_q, toString(sum(d)) AS denominator_q,
  toString(sum(toInt256(s) * s)) AS unit_sum_squares_q, toString(sum(toInt256(d) * d)) AS unit_denominator_squares_q,
  toString(sum(toInt256(s) * d)) AS unit_cross_q, min(since) AS event_from, max(until) AS event_to
FROM (
  SELECT variant, metric, units_n, s, d, since, until
  FROM analysis_totals FINAL
  ARRAY JOIN arrayEnumerate(n) AS metric, n AS units_n, sum_q AS s, denominator_q AS d, from_ms AS since, to_ms AS until
  WHERE workspace = {workspace:String} AND outcomes > 0
)
WHERE units_n > 0
GROUP BY variant, metric
