-- Distinct values of one metric and how many outcomes of each arm have it, as columns: a value may be in several rows of `variants`.
SELECT value AS point, groupArray(variant) AS variants, groupArray(n) AS counts
FROM (
  SELECT value, variant, sum(count) AS n
  FROM analysis_values_seen
  WHERE workspace = {workspace:String} AND metric = {metric:UInt16}
  GROUP BY value, variant
  HAVING n != 0
)
GROUP BY value
ORDER BY value
LIMIT {limit:UInt32}
