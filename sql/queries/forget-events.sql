-- Remembers what a tombstone covers before it is erased; every copy, whichever wins.
INSERT INTO forgotten_events (stream, id_hash, event_ts, kind, forgotten_ts, unverifiable_ts)
SELECT {stream:String}, id_hash, event_ts, kind, fromUnixTimestamp64Milli({forgotten_ms:Int64}, 'UTC'), fromUnixTimestamp64Milli({unverifiable_ms:Int64}, 'UTC')
FROM (
  SELECT xxHash64(concat(char(1), event_id, unit_id)) AS id_hash, event_ts, 'exposure' AS kind
  FROM exposures
  WHERE stream = {stream:String} AND unit_id = {unit:String} AND toUnixTimestamp64Milli(arrival_ts) <= {forgotten_ms:Int64}
  UNION ALL
  SELECT xxHash64(concat(char(2), event_id, unit_id)), event_ts, 'outcome'
  FROM outcomes
  WHERE stream = {stream:String} AND unit_id = {unit:String} AND toUnixTimestamp64Milli(arrival_ts) <= {forgotten_ms:Int64}
)
