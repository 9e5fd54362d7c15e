-- Follows `valued`: items by the sums of their outcomes in both arms; n = 0 where an arm has none.
SELECT toString(control_q) AS control_q, toString(control_denominator_q) AS control_denominator_q,
  toString(variant_q) AS variant_q, toString(variant_denominator_q) AS variant_denominator_q,
  count() AS items, min(first_ms) AS event_from, max(last_ms) AS event_to
FROM (
  SELECT item_id,
    sumIf(q, variant = {control:String}) AS control_q, sumIf(denominator_q, variant = {control:String}) AS control_denominator_q,
    sumIf(q, variant = {variant:String}) AS variant_q, sumIf(denominator_q, variant = {variant:String}) AS variant_denominator_q,
    min(event_ms) AS first_ms, max(event_ms) AS last_ms
  FROM valued
  WHERE item_id IS NOT NULL AND variant IN ({control:String}, {variant:String})
  GROUP BY item_id
)
GROUP BY control_q, control_denominator_q, variant_q, variant_denominator_q
