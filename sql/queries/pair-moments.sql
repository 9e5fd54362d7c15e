-- The differences of pairs as whole steps of the decimal grid, and their exact moments.
WITH toInt64(roundBankers((variant - control) * {unit:Float64})) AS steps
SELECT count() AS pairs, max(greatest(abs(control), abs(variant))) AS largest,
  toString(sum(toInt128(steps))) AS total, toString(sum(toInt256(steps) * steps)) AS squares
FROM analysis_pairs
WHERE workspace = {workspace:String} AND metric = {metric:UInt16} AND treatment = {variant:String} AND is_pair
