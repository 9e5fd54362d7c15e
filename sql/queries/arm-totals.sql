-- Follows `valued` and `arms`: exact sums over the units of each arm.
SELECT variant, arms.units AS units, units_with_outcome, outcomes, toString(sum_q) AS sum_q, toString(sum_squares_q) AS sum_squares_q,
  toString(denominator_q) AS denominator_q, toString(unit_sum_squares_q) AS unit_sum_squares_q,
  toString(unit_denominator_squares_q) AS unit_denominator_squares_q, toString(unit_cross_q) AS unit_cross_q,
  lowest AS min, highest AS max, event_from, event_to
FROM arms
LEFT JOIN (
  SELECT variant, count() AS units_with_outcome, sum(n) AS outcomes, sum(s) AS sum_q, sum(squares) AS sum_squares_q, sum(d) AS denominator_q,
    sum(s * s) AS unit_sum_squares_q, sum(d * d) AS unit_denominator_squares_q, sum(s * d) AS unit_cross_q,
    min(low) AS lowest, max(high) AS highest, min(first_ms) AS event_from, max(last_ms) AS event_to
  FROM (
    SELECT variant, unit_id, count() AS n, sum(q) AS s, sum(q * q) AS squares, sum(denominator_q) AS d,
      min(value) AS low, max(value) AS high, min(event_ms) AS first_ms, max(event_ms) AS last_ms
    FROM valued
    GROUP BY variant, unit_id
  )
  GROUP BY variant
) AS totals USING (variant)
ORDER BY variant
