-- Units of a workspace whose row is another one by exposures since its last step, and new units, into a workspace of their own.
INSERT INTO analysis_units (workspace, key, variant, is_crossover, first_ms, left_ms, forgotten_ms, weight, step)
SELECT {changed:String}, fresh.key,
  multiIf(known.variant = '', fresh.variant, fresh.variant = '', toString(known.variant), least(fresh.variant, toString(known.variant))) AS variant,
  known.is_crossover OR fresh.is_crossover OR (known.variant != '' AND fresh.variant != '' AND fresh.variant != known.variant) AS is_crossover,
  if(known.step > 0, least(fresh.first_ms, known.first_ms), fresh.first_ms) AS first_ms,
  if(known.step > 0, least(fresh.left_ms, known.left_ms), fresh.left_ms) AS left_ms,
  fresh.forgotten_ms,
  multiIf(fresh.variant = '', known.weight, known.weight = 0, fresh.weight, least(fresh.weight, known.weight)) AS weight,
  {step:UInt32}
FROM (
  /* units met */
) AS fresh
LEFT JOIN (
  SELECT key, variant, is_crossover, first_ms, left_ms, weight, step
  FROM analysis_units
  PREWHERE key IN (SELECT reinterpretAsUInt128(sipHash128(unit_id)) FROM /* units exposed */)
  WHERE workspace = {workspace:String}
  ORDER BY step DESC
  LIMIT 1 BY key
) AS known ON fresh.key = known.key
WHERE known.step = 0
  OR fresh.first_ms < known.first_ms
  OR fresh.left_ms < known.left_ms
  OR (NOT known.is_crossover AND (fresh.is_crossover OR (fresh.variant != '' AND known.variant != '' AND fresh.variant != known.variant)))
  OR (fresh.variant != '' AND fresh.weight < known.weight)
