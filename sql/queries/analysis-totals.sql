-- One row per unit and variant from the outcomes of a workspace.
INSERT INTO analysis_totals (workspace, key, variant, outcomes, outcomes_late, seen_ms, n, sum_q, denominator_q, from_ms, to_ms, weights, weight_least, weight_low, weight_high, step)
SELECT {workspace:String}, key, {arms:Array(String)}[/* arm */] AS variant, count() AS outcomes, countIf(is_late) AS outcomes_late, min(event_ms) AS seen_ms,
  /* totals */,
  /* weights */,
  {step:UInt32}
FROM /* answers */
WHERE workspace = {workspace:String} AND /* counted */
GROUP BY /* unit */
