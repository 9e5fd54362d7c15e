-- Means of units, ascending, and how many units of each arm have each, as columns.
SELECT groupArray(point) AS points, [/* columns */] AS counts
FROM (
  SELECT point, [/* counts */] AS n
  FROM (
    SELECT variant, sum_q[{metric:UInt16} + 1] AS s, denominator_q[least({metric:UInt16} + 1, length(denominator_q))] AS d, /* mean */ + 0. AS point
    FROM analysis_totals FINAL
    WHERE workspace = {workspace:String} AND outcomes > 0 AND n[least({metric:UInt16} + 1, length(n))] > 0 AND d != 0
  )
  GROUP BY point
  ORDER BY point
  LIMIT {limit:UInt32}
)
