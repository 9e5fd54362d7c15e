-- Outcomes of one phase of a split experiment (DESIGN C2) that arrived in (since, cut], for some of the units. What
-- they contribute is worked out before the join, which then carries numbers instead of maps and names.
INSERT INTO analysis_answers (workspace, sign, key, arm, event_ms, is_late, present, value, weight)
SELECT {workspace:String}, {sign:Int8}, facts.key, /* arm */, event_ms, is_late, present, /* values */,
  -- An outcome counts only if its unit's exposure was sent, too.
  greatest(facts.weight, /* weight */)
FROM (
  /* include analysis-facts */
) AS facts
/* join */ (
  /* units */
) AS joined ON facts.key = joined.key
/* where */
