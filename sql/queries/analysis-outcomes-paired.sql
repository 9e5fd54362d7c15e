-- Outcomes of one phase of a paired experiment that arrived in (since, cut]: the hint decides, and event time.
INSERT INTO analysis_items (workspace, key, arm, item, event_ms, is_late, present, value, weight)
WITH
  (SELECT (max(toInt64(slice_ms)), max(toInt64(lateness_ms))) FROM streams FINAL WHERE stream = {stream:String}) AS known,
  mapKeys(measures) AS names,
  mapValues(measures) AS numbers,
  toString(mapValues(variant_hint)[indexOf(mapKeys(variant_hint), {experiment:String})]) AS hinted,
  toUnixTimestamp64Milli(event_ts) AS event_ms,
  toUnixTimestamp64Milli(arrival_ts) AS arrival_ms
SELECT {workspace:String}, reinterpretAsUInt128(sipHash128(unit_id)), indexOf({variants:Array(String)}, hinted),
  if(isNull(item_id), toUInt128(0), reinterpretAsUInt128(sipHash128(assumeNotNull(item_id)))), event_ms,
  known.1 > 0 AND arrival_ms > intDiv(event_ms, known.1) * known.1 + known.1 + known.2,
  /* present */, /* values */,
  toInt64(floor(1000000. / greatest(sample_rate, 0.000001) + 0.5))
FROM outcomes FINAL
LEFT JOIN (
  SELECT unit_id, max(arrival_ts) AS forgotten_ts
  FROM tombstones
  WHERE stream = {stream:String}
  GROUP BY unit_id
) AS forgotten USING (unit_id)
WHERE stream = {stream:String}
  AND arrival_ts > fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
  AND arrival_ts <= fromUnixTimestamp64Milli({cut_ms:Int64}, 'UTC')
  AND arrival_ts > forgotten_ts
  AND has({variants:Array(String)}, hinted)
  AND {phases:Array(UInt32)}[arrayLastIndex(start -> start <= event_ms, {starts:Array(Int64)})] = {phase:UInt32}
