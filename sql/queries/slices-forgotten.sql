-- Slices that held a unit forgotten since: they cannot be checked at a cut before its tombstone.
SELECT slice_start_ms, max(forgotten_ms) AS forgotten_ms
FROM (
  SELECT intDiv(toUnixTimestamp64Milli(event_ts), {slice_ms:Int64}) * {slice_ms:Int64} AS slice_start_ms,
    toUnixTimestamp64Milli(forgotten_ts) AS forgotten_ms
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
  UNION ALL
  SELECT intDiv(toUnixTimestamp64Milli(event_ts), {slice_ms:Int64}) * {slice_ms:Int64}, toUnixTimestamp64Milli(unverifiable_ts)
  FROM forgotten_events
  WHERE stream = {stream:String}
    AND kind = 'outcome'
    AND event_ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
)
GROUP BY slice_start_ms
