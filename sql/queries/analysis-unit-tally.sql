-- When units were first exposed, and how long their first outcome took, by what they are counted under.
WITH seen AS (
  SELECT key, min(seen_ms) AS seen_ms
  FROM analysis_totals FINAL
  WHERE workspace = {workspace:String} AND outcomes > 0
  GROUP BY key
)
SELECT toString(variant) AS variant, is_crossover, toUInt8(seen_ms > 0) AS has_outcome,
  groupArray(toFloat64(first_ms)) AS firsts, groupArrayIf(toFloat64(seen_ms - first_ms), seen_ms > 0) AS delays
FROM analysis_units FINAL
LEFT JOIN seen USING (key)
WHERE workspace = {workspace:String}
GROUP BY variant, is_crossover, has_outcome
