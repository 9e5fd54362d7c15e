-- Exposed units per arm, crossovers under '', and those whose outcome is due:
-- 99 of 100 units that have one had it within the grace.
WITH seen AS (
  -- if one step
  SELECT key, seen_ms
  -- end one step
  -- if several steps
  SELECT key, min(seen_ms) AS seen_ms
  -- end several steps
  FROM analysis_totals FINAL
  WHERE workspace = {workspace:String} AND outcomes > 0
  -- if several steps
  GROUP BY key
  -- end several steps
)
SELECT arm, count() AS units, countIf(NOT has_outcome) AS without_outcome,
  countIf(is_due) AS due, countIf(is_due AND NOT has_outcome) AS due_without_outcome, any(grace_ms) AS grace
FROM (
  SELECT arm, has_outcome, grace_ms, first_ms <= {cut_ms:Int64} - grace_ms AS is_due
  FROM (
    SELECT if(is_crossover, '', variant) AS arm, seen_ms > 0 AS has_outcome, first_ms,
      quantileExactIf(0.99)(seen_ms - first_ms, seen_ms > 0) OVER () AS grace_ms
    FROM analysis_units FINAL
    LEFT JOIN seen USING (key)
    WHERE workspace = {workspace:String} AND variant != ''
  )
)
GROUP BY arm
ORDER BY arm
