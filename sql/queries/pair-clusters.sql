-- Sums over units of the differences of their pairs, for a standard error that lets the pairs of a unit depend on one another.
SELECT count() AS clusters, toString(sum(toInt256(total) * total)) AS squares, toString(sum(toInt256(total) * pairs)) AS cross, toString(sum(toInt256(pairs) * pairs)) AS sizes
FROM (
  SELECT sum(toInt128(toInt64(roundBankers((variant - control) * {unit:Float64})))) AS total, count() AS pairs
  FROM analysis_pair_rows
  WHERE indexHint(pair_set = {pairs:String})
  GROUP BY cluster
)
