-- What outcomes of a stream contribute, of those that arrived in (since, cut] and happened from from_ms on.
WITH
  (SELECT (max(toInt64(slice_ms)), max(toInt64(lateness_ms))) FROM streams FINAL WHERE stream = {stream:String}) AS known,
  mapKeys(measures) AS names,
  mapValues(measures) AS numbers
SELECT reinterpretAsUInt128(sipHash128(unit_id)) AS key,
  toUnixTimestamp64Milli(event_ts) AS event_ms,
  toUnixTimestamp64Milli(arrival_ts) AS arrival_ms,
  known.1 > 0 AND arrival_ms > intDiv(event_ms, known.1) * known.1 + known.1 + known.2 AS is_late,
  /* present */ AS present,
  toInt64(floor(1000000. / greatest(sample_rate, 0.000001) + 0.5)) AS weight/* columns */
FROM outcomes FINAL
/* only */
WHERE stream = {stream:String}
  AND arrival_ts > fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
  AND arrival_ts <= fromUnixTimestamp64Milli({cut_ms:Int64}, 'UTC')
  AND event_ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
