SELECT toUnixTimestamp64Milli(max(arrival_ts)) AS arrival_ms
FROM arrivals
WHERE stream = {stream:String}
