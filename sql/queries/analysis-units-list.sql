-- Distinct (sum, denominator) of units and how many each arm has; the mean is one division away.
SELECT variant, toString(s) AS sum_q, toString(d) AS denominator_q, units
FROM (
  SELECT variant, sum_q[{metric:UInt16} + 1] AS s, denominator_q[{metric:UInt16} + 1] AS d, count() AS units
  FROM analysis_totals FINAL
  WHERE workspace = {workspace:String} AND outcomes > 0 AND n[{metric:UInt16} + 1] > 0
  GROUP BY variant, s, d
  LIMIT {limit:UInt32}
)
WHERE d != 0
