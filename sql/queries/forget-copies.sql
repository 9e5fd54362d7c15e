-- Later copies of a unit's events that its tombstone covers.
SELECT toString(id_hash) AS id_hash
FROM (
  SELECT xxHash64(concat(char(1), event_id, unit_id)) AS id_hash
  FROM exposures
  WHERE stream = {stream:String} AND unit_id = {unit:String} AND toUnixTimestamp64Milli(arrival_ts) > {forgotten_ms:Int64}
  UNION ALL
  SELECT xxHash64(concat(char(2), event_id, unit_id))
  FROM outcomes
  WHERE stream = {stream:String} AND unit_id = {unit:String} AND toUnixTimestamp64Milli(arrival_ts) > {forgotten_ms:Int64}
)
WHERE id_hash IN (SELECT id_hash FROM forgotten_events WHERE stream = {stream:String})
GROUP BY id_hash
