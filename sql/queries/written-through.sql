SELECT offset
FROM arrivals
WHERE stream = {stream:String} AND log_epoch = {log_epoch:UInt16} AND partition = {partition:UInt16}
ORDER BY stream DESC, log_epoch DESC, partition DESC, offset DESC
LIMIT 1;
