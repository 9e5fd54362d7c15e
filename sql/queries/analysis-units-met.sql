SELECT reinterpretAsUInt128(sipHash128(unit_id)) AS key,
  -- Of a crossover any would do: it is left out.
  toString(minIf(exposures.variant, phase = {phase:UInt32})) AS variant,
  minIf(exposures.variant, phase = {phase:UInt32}) != maxIf(exposures.variant, phase = {phase:UInt32}) AS is_crossover,
  min(if(phase = {phase:UInt32}, toUnixTimestamp64Milli(event_ts), 9000000000000000)) AS first_ms,
  min(if(phase > {phase:UInt32}, toUnixTimestamp64Milli(event_ts), 9000000000000000)) AS left_ms,
  /* forgotten_ms */ AS forgotten_ms,
  minIf(toInt64(floor(1000000. / greatest(sample_rate, 0.000001) + 0.5)), phase = {phase:UInt32}) AS weight
FROM exposures FINAL
/* forgotten */
WHERE stream = {stream:String}
  AND experiment = {experiment:String}
  AND reason = 'assigned'
  AND phase >= {phase:UInt32}
  AND arrival_ts > fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
  AND arrival_ts <= fromUnixTimestamp64Milli({cut_ms:Int64}, 'UTC')
  AND /* kept */
  /* only */
GROUP BY unit_id
