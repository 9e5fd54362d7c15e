-- The differences of pairs as whole steps of the decimal grid, and their exact moments.
WITH toInt64(roundBankers((variant - control) * {unit:Float64})) AS steps
SELECT count() AS pairs, max(greatest(abs(control), abs(variant))) AS largest,
  toString(sum(bitShiftRight(steps, 26))) AS total_high, toString(sum(bitAnd(steps, 67108863))) AS total_low,
  toString(sum(/* wide */(steps) * steps)) AS squares
FROM analysis_pair_rows
WHERE indexHint(pair_set = {pairs:String})
