-- Units that met a phase of a split experiment under a cut: their variant there, and when they left it for a
-- later phase. Those that only met a later phase are kept too: an exposure to this one may still arrive.
-- `place` is one number that orders exposures by (event_ts, event_id); a tuple costs several times as much.
INSERT INTO analysis_units (workspace, key, variant, is_crossover, first_ms, first_id, left_ms, forgotten_ms, weight, step)
WITH bitOr(bitShiftLeft(toUInt256(toUnixTimestamp64Milli(event_ts)), 128), toUInt256(reinterpretAsUInt128(reverse(event_id)))) AS place
SELECT {workspace:String}, reinterpretAsUInt128(sipHash128(unit_id)) AS key,
  toString(argMinIf(exposures.variant, place, phase = {phase:UInt32})) AS variant,
  minIf(exposures.variant, phase = {phase:UInt32}) != maxIf(exposures.variant, phase = {phase:UInt32}) AS is_crossover,
  if(countIf(phase = {phase:UInt32}) = 0, 9000000000000000, toUnixTimestamp64Milli(minIf(event_ts, phase = {phase:UInt32}))) AS first_ms,
  toFixedString(reverse(reinterpretAsFixedString(toUInt128(minIf(place, phase = {phase:UInt32})))), 16) AS first_id,
  if(countIf(phase > {phase:UInt32}) = 0, 9000000000000000, toUnixTimestamp64Milli(minIf(event_ts, phase > {phase:UInt32}))) AS left_ms,
  toUnixTimestamp64Milli(any(forgotten_ts)) AS forgotten_ms,
  minIf(toInt64(floor(1000000. / greatest(sample_rate, 0.000001) + 0.5)), phase = {phase:UInt32}) AS weight,
  {step:UInt32}
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
  AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64}
  AND arrival_ts > forgotten_ts
GROUP BY unit_id
