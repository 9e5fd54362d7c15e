-- Extremes and the sum of squares of the values of one metric in each arm.
SELECT variant, toString(sum(n * q * q)) AS sum_squares_q, toString(sum(n * q)) AS plain_sum_q, min(value) AS lowest, max(value) AS highest
FROM (
  SELECT variant, value, toInt256(sum(count)) AS n, toInt256(/* q */) AS q
  FROM analysis_values_seen
  WHERE workspace = {workspace:String} AND metric = {metric:UInt16}
  GROUP BY variant, value
  HAVING n != 0
)
GROUP BY variant
