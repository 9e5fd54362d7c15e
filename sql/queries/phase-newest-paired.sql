SELECT maxOrNull({phases:Array(UInt32)}[arrayLastIndex(start -> start <= toUnixTimestamp64Milli(event_ts), {starts:Array(Int64)})]) AS phase
FROM outcomes FINAL
LEFT JOIN (
  SELECT unit_id, max(arrival_ts) AS forgotten_ts
  FROM tombstones
  WHERE stream = {stream:String}
  GROUP BY unit_id
) AS forgotten USING (unit_id)
WHERE stream = {stream:String}
  AND has({variants:Array(String)}, toString(mapValues(variant_hint)[indexOf(mapKeys(variant_hint), {experiment:String})]))
  AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64}
  AND arrival_ts > forgotten_ts
  AND arrayLastIndex(start -> start <= toUnixTimestamp64Milli(event_ts), {starts:Array(Int64)}) > 0
