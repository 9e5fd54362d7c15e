-- Over the units of each arm: the weight of a unit's outcomes (d), and of those at or below the arm's own value (s).
SELECT variant, count() AS units, toString(sum(s)) AS sum, toString(sum(d)) AS weight, toString(sum(toInt256(s) * s)) AS sum_squares,
  toString(sum(toInt256(d) * d)) AS weight_squares, toString(sum(toInt256(s) * d)) AS cross
FROM (
  SELECT variant, key, sum(toInt128(weight) * count) AS d,
    sumIf(toInt128(weight) * count, value <= {cuts:Array(Float64)}[indexOf({arms:Array(String)}, variant)]) AS s
  FROM analysis_weights_seen
  WHERE workspace = {workspace:String} AND metric = {metric:UInt16} AND has({arms:Array(String)}, variant)
  GROUP BY variant, key
  HAVING d != 0
)
GROUP BY variant
ORDER BY variant
