-- Of the first pairs met, how many differences are distinct: a guess of which way is cheaper, never of an answer.
SELECT count() AS pairs, uniqExact(roundBankers((variant - control) * {unit:Float64})) AS differing
FROM (
  SELECT control, variant
  FROM analysis_pairs
  WHERE workspace = {workspace:String} AND metric = {metric:UInt16} AND treatment = {variant:String} AND is_pair
  LIMIT 100000
)
