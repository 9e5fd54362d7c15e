-- As analysis-values-list where events have several weights, with what the outcomes of each value weigh.
SELECT value AS point, groupArray(variant) AS variants, groupArray(n) AS counts, groupArray(toString(weighed)) AS weights
FROM (
  SELECT value, variant, sum(count) AS n, sum(toInt128(weight) * count) AS weighed
  FROM analysis_weights_seen
  WHERE workspace = {workspace:String} AND metric = {metric:UInt16}
  GROUP BY value, variant
  HAVING n != 0
)
GROUP BY value
ORDER BY value
LIMIT {limit:UInt32}
