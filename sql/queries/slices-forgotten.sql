-- Slices that held a unit forgotten since: they cannot be checked at a cut before its tombstone.
SELECT intDiv(toUnixTimestamp64Milli(event_ts), {slice_ms:Int64}) * {slice_ms:Int64} AS slice_start_ms,
  toUnixTimestamp64Milli(max(forgotten_ts)) AS forgotten_ms
FROM outcomes FINAL
INNER JOIN (
  SELECT unit_id, max(arrival_ts) AS forgotten_ts
  FROM tombstones
  WHERE stream = {stream:String}
  GROUP BY unit_id
) AS forgotten USING (unit_id)
WHERE stream = {stream:String}
  AND event_ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND arrival_ts <= forgotten_ts
GROUP BY slice_start_ms
