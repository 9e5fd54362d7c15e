-- Follows `scoped`: what each outcome contributes to one metric, as slices-recompute.sql has it.
WITH
  arrayMap(name -> multiIf(
    has(mapKeys(measures), name), mapValues(measures)[indexOf(mapKeys(measures), name)],
    name = 'success', toFloat64(status = 'ok'),
    name = 'outcomes', 1.,
    nan), [{measure:String}, {denominator:String}]) AS read,
  1152921504606846976. AS two_to_60
SELECT variant, unit_id, item_id, event_ms,
  multiIf({kind:UInt8} = 1, toFloat64(has({statuses:Array(String)}, status)), isNaN(read[1]), 0., read[1]) + 0. AS value,
  if({kind:UInt8} = 2 AND NOT isNaN(read[2]), read[2], 0.) AS denominator,
  roundBankers(value * {multiplier:Float64}) AS value_rounded,
  trunc(value_rounded / two_to_60) AS value_high,
  toInt256(toInt64(value_high)) * 1152921504606846976 + toInt64(value_rounded - value_high * two_to_60) AS q,
  roundBankers(denominator * {multiplier:Float64}) AS denominator_rounded,
  trunc(denominator_rounded / two_to_60) AS denominator_high,
  if({kind:UInt8} = 2, toInt256(toInt64(denominator_high)) * 1152921504606846976 + toInt64(denominator_rounded - denominator_high * two_to_60), toInt256(1)) AS denominator_q
FROM scoped
WHERE {kind:UInt8} = 1 OR NOT isNaN(read[1]) OR ({kind:UInt8} = 2 AND NOT isNaN(read[2]))
