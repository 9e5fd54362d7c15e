-- Outcomes of a stream that arrived in (since, cut].
SELECT count() AS outcomes
FROM outcomes FINAL
WHERE stream = {stream:String}
  AND arrival_ts > fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
  AND arrival_ts <= fromUnixTimestamp64Milli({cut_ms:Int64}, 'UTC')
