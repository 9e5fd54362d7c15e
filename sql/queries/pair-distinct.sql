-- Of the first pairs met, how many differences are distinct: a guess of which way is cheaper, never of an answer.
SELECT count() AS pairs, uniqExact(roundBankers((variant - control) * {unit:Float64})) AS differing
FROM (
  SELECT control, variant
  FROM analysis_pair_rows
  WHERE indexHint(pair_set = {pairs:String})
  LIMIT 100000
)
