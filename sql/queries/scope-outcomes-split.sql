-- Follows `units`: the outcomes of one phase of a split experiment under a cut (DESIGN C2).
SELECT unit_id, units.variant AS variant, item_id, toUnixTimestamp64Milli(event_ts) AS event_ms,
  toUnixTimestamp64Milli(arrival_ts) AS arrival_ms, measures, status
FROM outcomes FINAL
INNER JOIN units USING (unit_id)
LEFT JOIN (
  SELECT unit_id, max(arrival_ts) AS forgotten_ts
  FROM tombstones
  WHERE stream = {stream:String}
  GROUP BY unit_id
) AS forgotten USING (unit_id)
WHERE stream = {stream:String}
  AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64}
  AND arrival_ts > forgotten_ts
  AND NOT is_crossover
  AND event_ms >= first_ms
  AND event_ms < left_ms
  AND ({end_ms:Int64} = 0 OR event_ms < {end_ms:Int64})
