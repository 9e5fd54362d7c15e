-- Outcomes of one phase of a split experiment (DESIGN C2) that arrived in (since, cut], for some of the units.
INSERT INTO analysis_outcomes (workspace, sign, key, variant, item, event_ms, is_late, present, value, denominator, weight)
WITH
  (SELECT (max(toInt64(slice_ms)), max(toInt64(lateness_ms))) FROM streams FINAL WHERE stream = {stream:String}) AS known,
  mapKeys(measures) AS names,
  mapValues(measures) AS numbers,
  toUnixTimestamp64Milli(event_ts) AS event_ms,
  toUnixTimestamp64Milli(arrival_ts) AS arrival_ms
SELECT {workspace:String}, {sign:Int8}, joined.key, joined.variant, toUInt128(0), event_ms,
  known.1 > 0 AND arrival_ms > intDiv(event_ms, known.1) * known.1 + known.1 + known.2,
  /* present */, /* values */, /* denominators */,
  -- An outcome counts only if its unit's exposure was sent, too.
  greatest(toInt64(floor(1000000. / greatest(sample_rate, 0.000001) + 0.5)), joined.weight)
FROM outcomes FINAL
INNER JOIN (
  /* units */
) AS joined ON reinterpretAsUInt128(sipHash128(outcomes.unit_id)) = joined.key
WHERE stream = {stream:String}
  AND arrival_ts > fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
  AND arrival_ts <= fromUnixTimestamp64Milli({cut_ms:Int64}, 'UTC')
  AND event_ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND arrival_ms > joined.forgotten_ms
  AND event_ms >= joined.first_ms
  AND event_ms < joined.left_ms
