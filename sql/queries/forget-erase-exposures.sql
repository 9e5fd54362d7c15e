-- Facts of the unit that its tombstone covers, and later copies of them. Replicas refuse a mutation with a subquery.
ALTER TABLE exposures DELETE
WHERE stream = {stream:String} AND unit_id = {unit:String}
  AND (toUnixTimestamp64Milli(arrival_ts) <= {forgotten_ms:Int64}
    OR has({copies:Array(UInt64)}, xxHash64(concat(char(1), event_id, unit_id))))
SETTINGS mutations_sync = 2
