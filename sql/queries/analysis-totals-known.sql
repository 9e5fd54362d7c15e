-- The rows, as they were, of units that a step has outcomes or exposures of.
INSERT INTO analysis_recounts (workspace, key, variant, outcomes, outcomes_late, seen_ms, n, sum_q, denominator_q, from_ms, to_ms, weights, weight_least, weight_low, weight_high, step)
SELECT {changed:String}, key, variant, outcomes, outcomes_late, seen_ms, n, sum_q, denominator_q, from_ms, to_ms, weights, weight_least, weight_low, weight_high, step
FROM analysis_totals
PREWHERE key IN (
  SELECT key FROM analysis_answers WHERE workspace = {workspace:String}
  UNION DISTINCT
  SELECT key FROM analysis_units WHERE workspace = {changed:String}
)
WHERE workspace = {workspace:String}
ORDER BY step DESC
LIMIT 1 BY key, variant
