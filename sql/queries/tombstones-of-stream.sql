SELECT unit_id, toUnixTimestamp64Milli(max(arrival_ts)) AS forgotten_ms
FROM tombstones
WHERE stream = {stream:String}
GROUP BY unit_id
