-- Markers whose slices or cuts lie in the audited range, oldest first.
SELECT kind, toUnixTimestamp64Milli(from_ts) AS from_ms, toUnixTimestamp64Milli(through_ts) AS through_ms,
  toUnixTimestamp64Milli(cut_ts) AS cut_ms, config_versions
FROM closings FINAL
WHERE stream = {stream:String} AND toUnixTimestamp64Milli(through_ts) > {from_ms:Int64}
ORDER BY kind, from_ts, cut_ts
