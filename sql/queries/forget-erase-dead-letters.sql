ALTER TABLE dead_letters DELETE
WHERE stream = {stream:String} AND key = {key:String} AND toUnixTimestamp64Milli(arrival_ts) <= {forgotten_ms:Int64} AND last_offset = offset
SETTINGS mutations_sync = 2
