-- arrival_ts never falls within a partition, so the last row below the offset has the largest.
SELECT toUnixTimestamp64Milli(arrival_ts) AS arrival_ms
FROM arrivals
WHERE stream = {stream:String} AND log_epoch = {log_epoch:UInt16} AND partition = {partition:UInt16} AND offset < {below:UInt64}
ORDER BY stream DESC, log_epoch DESC, partition DESC, offset DESC
LIMIT 1;
