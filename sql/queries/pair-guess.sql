-- How large values are, from the first ones met.
SELECT max(greatest(abs(control), abs(variant))) AS largest
FROM (
  SELECT control, variant
  FROM analysis_pairs
  WHERE workspace = {workspace:String} AND metric = {metric:UInt16} AND treatment = {variant:String} AND is_pair
  LIMIT 10000
)
