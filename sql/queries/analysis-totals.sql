-- One row per unit and variant from the outcomes of a workspace.
INSERT INTO analysis_totals (workspace, key, variant, outcomes, outcomes_late, seen_ms, n, sum_q, denominator_q, from_ms, to_ms, weights, weight_least, weight_low, weight_high, step)
SELECT {workspace:String}, key, /* variant */, count() AS outcomes, countIf(is_late) AS outcomes_late, min(event_ms) AS seen_ms,
  /* totals */,
  min(weight) AS weight_low, max(weight) AS weight_high,
  {step:UInt32}
FROM analysis_outcomes
WHERE workspace = {workspace:String}
GROUP BY /* unit */
