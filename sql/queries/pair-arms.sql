-- Exact moments of both sides of the pairs, in steps of the same grid.
WITH toInt64(roundBankers(control * {unit:Float64})) AS control_steps, toInt64(roundBankers(variant * {unit:Float64})) AS variant_steps,
  roundBankers((variant - control) * {unit:Float64}) AS steps
SELECT countIf(steps > 0) AS wins, countIf(steps = 0) AS ties, countIf(steps < 0) AS losses,
  toString(sum(toInt128(control_steps))) AS control_total, toString(sum(/* wide */(control_steps) * control_steps)) AS control_squares,
  toString(sum(toInt128(variant_steps))) AS variant_total, toString(sum(/* wide */(variant_steps) * variant_steps)) AS variant_squares
FROM analysis_pair_rows
WHERE indexHint(pair_set = {pairs:String})
