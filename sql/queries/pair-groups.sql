-- Distinct differences in steps of the grid, as two columns in ascending order. Reading stops early beyond max_rows_to_group_by.
SELECT groupArray(steps) AS steps, groupArray(n) AS counts
FROM (
  SELECT roundBankers((variant - control) * {unit:Float64}) + 0. AS steps, toFloat64(count()) AS n
  FROM analysis_pair_rows
  WHERE indexHint(pair_set = {pairs:String})
  GROUP BY steps
  ORDER BY steps
)
