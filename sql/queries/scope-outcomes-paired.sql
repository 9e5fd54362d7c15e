-- The outcomes of one phase of a paired experiment under a cut: the hint decides, and event time.
SELECT unit_id, toString(mapValues(variant_hint)[indexOf(mapKeys(variant_hint), {experiment:String})]) AS variant, item_id,
  toUnixTimestamp64Milli(event_ts) AS event_ms, toUnixTimestamp64Milli(arrival_ts) AS arrival_ms, measures, status
FROM outcomes FINAL
LEFT JOIN (
  SELECT unit_id, max(arrival_ts) AS forgotten_ts
  FROM tombstones
  WHERE stream = {stream:String}
  GROUP BY unit_id
) AS forgotten USING (unit_id)
WHERE stream = {stream:String}
  AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64}
  AND arrival_ts > forgotten_ts
  AND has({variants:Array(String)}, variant)
  AND {phases:Array(UInt32)}[arrayLastIndex(start -> start <= event_ms, {starts:Array(Int64)})] = {phase:UInt32}
