-- Distinct differences in steps of the grid, as two columns in ascending order. Reading stops early beyond max_rows_to_group_by.
SELECT groupArray(steps) AS steps, groupArray(n) AS counts
FROM (
  SELECT roundBankers((variant - control) * {unit:Float64}) + 0. AS steps, toFloat64(count()) AS n
  FROM analysis_pairs
  WHERE workspace = {workspace:String} AND metric = {metric:UInt16} AND treatment = {variant:String} AND is_pair
  GROUP BY steps
  ORDER BY steps
)
