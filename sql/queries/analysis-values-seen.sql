-- How often each value of one metric occurs in each variant.
INSERT INTO analysis_values_seen (workspace, metric, value, variant, count, step)
SELECT {workspace:String}, {metric:UInt16}, one, name, n, {step:UInt32}
FROM (
  SELECT value[{metric:UInt16} + 1] AS one, CAST([/* counts */], 'Array(Int64)') AS counts
  FROM /* answers */
  WHERE workspace = {workspace:String} AND /* has */ AND /* counted */
  GROUP BY one
)
ARRAY JOIN {arms:Array(String)} AS name, counts AS n
WHERE n != 0
