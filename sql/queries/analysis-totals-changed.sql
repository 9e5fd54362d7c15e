-- New rows of units: what a unit had with what is new; or, when its exposures changed, what it has now alone.
INSERT INTO analysis_recounts (workspace, key, variant, outcomes, outcomes_late, seen_ms, n, sum_q, denominator_q, from_ms, to_ms, weights, weight_least, weight_low, weight_high, step)
SELECT {changed:String}, key, variant, sum(outcomes), sum(outcomes_late), min(seen_ms),
  sumForEach(n), sumForEach(sum_q), sumForEach(denominator_q), minForEach(from_ms), maxForEach(to_ms),
  sumForEach(weights), minForEach(weight_least), min(weight_low), max(weight_high), {step:UInt32}
FROM (
  SELECT key, {arms:Array(String)}[/* arm */] AS variant, count() AS outcomes, countIf(is_late) AS outcomes_late, min(event_ms) AS seen_ms,
    /* totals */,
    /* weights */
  FROM analysis_answers
  WHERE workspace = {workspace:String} AND sign = 1
  GROUP BY /* unit */
  UNION ALL
  SELECT key, variant, outcomes, outcomes_late, seen_ms, n, sum_q, denominator_q, from_ms, to_ms, weights, weight_least, weight_low, weight_high
  FROM analysis_recounts
  WHERE workspace = {changed:String}
    AND key IN (SELECT key FROM analysis_answers WHERE workspace = {workspace:String} AND sign = 1)
    AND key NOT IN (SELECT key FROM analysis_units WHERE workspace = {changed:String})
  UNION ALL
  SELECT key, variant, toUInt64(0), toUInt64(0), 9000000000000000,
    arrayMap(x -> toUInt64(0), n), arrayMap(x -> toInt128(0), n), arrayMap(x -> toInt128(0), n),
    arrayMap(x -> 9000000000000000, n), arrayMap(x -> toInt64(-1), n),
    arrayMap(x -> toInt128(0), weights), arrayMap(x -> toInt64(9000000000000000), weight_least), toInt64(9000000000000000), toInt64(-1)
  FROM analysis_recounts
  WHERE workspace = {changed:String}
    AND key IN (SELECT key FROM analysis_units WHERE workspace = {changed:String})
)
GROUP BY key, variant
