-- What a cut covers of each partition: [first, last + 1).
SELECT log_epoch, partition, toString(min(offset)) AS first, toString(max(offset) + 1) AS last
FROM arrivals
WHERE stream = {stream:String} AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64}
GROUP BY log_epoch, partition
ORDER BY log_epoch, partition
