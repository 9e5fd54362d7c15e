-- One row per unit, and one per distinct value and arm of the metrics that have a distribution, straight from the outcomes
-- of one phase of a split experiment (DESIGN C2) under a cut, all of one weight. What outcomes contribute is worked out
-- before the join, which then carries numbers instead of maps and names.
INSERT INTO analysis_recounts (workspace, key, variant, outcomes, outcomes_late, seen_ms, n, sum_q, denominator_q, from_ms, to_ms, weights, weight_least,
  weight_low, weight_high, step, largest, present, left_out, metric, value)
SELECT {workspace:String}, unit, if(any(place) = 0, '', {arms:Array(String)}[any(place)]) AS variant,
  if(metric = 0 AND any(place) != 0, count(), 0), if(metric = 0 AND any(place) != 0, countIf(is_late), 0), min(event_ms),
  /* totals */,
  {weight:Int64}, {weight:Int64}, {step:UInt32},
  /* largest */,
  /* present in all */,
  if(metric = 0 AND any(place) = 0, count(), 0),
  /* metric */ AS metric, /* value */
FROM (
  SELECT if(place = 0, toUInt128(0), facts.key) AS unit, toUInt8(/* arm */) AS place, place AS arm, event_ms, is_late, present, /* values */
  FROM (
    /* include analysis-facts */
  ) AS facts
  /* join */ (
    /* units */
  ) AS joined ON facts.key = joined.key
  /* where */
)
GROUP BY /* sets */
