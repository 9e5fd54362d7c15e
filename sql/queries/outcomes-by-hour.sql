-- How many outcomes (copies included) each hour of event time holds: closing a backlog is cut by it.
SELECT intDiv(toUnixTimestamp64Milli(event_ts), 3600000) * 3600000 AS hour_ms, count() AS outcomes
FROM outcomes
WHERE stream = {stream:String}
  AND event_ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
  AND event_ts < fromUnixTimestamp64Milli({through_ms:Int64}, 'UTC')
GROUP BY hour_ms
ORDER BY hour_ms
