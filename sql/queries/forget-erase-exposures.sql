-- Facts of the unit that its tombstone covers, and later copies of them.
ALTER TABLE exposures DELETE
WHERE stream = {stream:String} AND unit_id = {unit:String}
  AND (toUnixTimestamp64Milli(arrival_ts) <= {forgotten_ms:Int64}
    OR xxHash64(concat(char(1), event_id, unit_id)) IN (SELECT id_hash FROM forgotten_events WHERE stream = {stream:String}))
SETTINGS mutations_sync = 2
