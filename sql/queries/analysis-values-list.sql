-- Distinct values of one metric, ascending, and how many outcomes of each arm have each, as columns.
SELECT groupArray(point) AS points, [/* columns */] AS counts
FROM (
  SELECT value AS point, [/* counts */] AS n
  FROM analysis_values_seen
  WHERE workspace = {workspace:String} AND metric = {metric:UInt16}
  GROUP BY point
  HAVING arrayExists(one -> one != 0, n)
  ORDER BY point
  LIMIT {limit:UInt32}
)
