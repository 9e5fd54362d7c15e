-- Units of a workspace whose row is another one by exposures since its last step, and new units, into a workspace of their own.
INSERT INTO analysis_units (workspace, key, variant, is_crossover, first_ms, first_id, left_ms, forgotten_ms, weight, step)
WITH (fresh.n > 0 AND (known.step = 0 OR (fresh.first_ms, fresh.first_id) < (known.first_ms, known.first_id))) AS is_first
SELECT {changed:String}, fresh.key,
  if(is_first OR known.step = 0, fresh.variant, known.variant) AS variant,
  known.is_crossover OR (fresh.n > 0 AND (fresh.is_crossover OR (known.step > 0 AND known.variant != '' AND fresh.variant != known.variant))) AS is_crossover,
  if(is_first OR known.step = 0, fresh.first_ms, known.first_ms) AS first_ms,
  if(is_first OR known.step = 0, fresh.first_id, known.first_id) AS first_id,
  if(known.step > 0, least(fresh.left_ms, known.left_ms), fresh.left_ms) AS left_ms,
  fresh.forgotten_ms,
  multiIf(fresh.n = 0, known.weight, known.weight = 0, fresh.weight, least(fresh.weight, known.weight)) AS weight,
  {step:UInt32}
FROM (
  WITH bitOr(bitShiftLeft(toUInt256(toUnixTimestamp64Milli(event_ts)), 128), toUInt256(reinterpretAsUInt128(reverse(event_id)))) AS place
  SELECT reinterpretAsUInt128(sipHash128(unit_id)) AS key, countIf(phase = {phase:UInt32}) AS n,
    toString(argMinIf(exposures.variant, place, phase = {phase:UInt32})) AS variant,
    minIf(exposures.variant, phase = {phase:UInt32}) != maxIf(exposures.variant, phase = {phase:UInt32}) AS is_crossover,
    if(n = 0, 9000000000000000, toUnixTimestamp64Milli(minIf(event_ts, phase = {phase:UInt32}))) AS first_ms,
    toFixedString(reverse(reinterpretAsFixedString(toUInt128(minIf(place, phase = {phase:UInt32})))), 16) AS first_id,
    if(countIf(phase > {phase:UInt32}) = 0, 9000000000000000, toUnixTimestamp64Milli(minIf(event_ts, phase > {phase:UInt32}))) AS left_ms,
    toUnixTimestamp64Milli(any(forgotten_ts)) AS forgotten_ms,
    minIf(toInt64(floor(1000000. / greatest(sample_rate, 0.000001) + 0.5)), phase = {phase:UInt32}) AS weight
  FROM exposures FINAL
  LEFT JOIN (
    SELECT unit_id, max(arrival_ts) AS forgotten_ts
    FROM tombstones
    WHERE stream = {stream:String}
    GROUP BY unit_id
  ) AS forgotten USING (unit_id)
  WHERE stream = {stream:String}
    AND experiment = {experiment:String}
    AND reason = 'assigned'
    AND phase >= {phase:UInt32}
    AND arrival_ts > fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
    AND arrival_ts <= fromUnixTimestamp64Milli({cut_ms:Int64}, 'UTC')
    AND arrival_ts > forgotten_ts
  GROUP BY unit_id
) AS fresh
LEFT JOIN (
  SELECT key, variant, is_crossover, first_ms, first_id, left_ms, weight, step
  FROM analysis_units FINAL
  WHERE workspace = {workspace:String}
) AS known ON fresh.key = known.key
WHERE known.step = 0
  OR is_first
  OR (fresh.n > 0 AND NOT known.is_crossover AND (fresh.is_crossover OR (known.variant != '' AND fresh.variant != known.variant)))
  OR fresh.left_ms < known.left_ms
  OR (fresh.n > 0 AND fresh.weight < known.weight)
