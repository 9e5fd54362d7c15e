-- Records of a stream per minute of arrival, the newest minutes first.
SELECT
  toUnixTimestamp(toStartOfMinute(arrival_ts)) * 1000 AS minute_ms,
  countIf(kind != 'tick') AS records,
  countIf(kind = 'dead_letter') AS dead_letters
FROM arrivals
WHERE stream = {stream:String} AND arrival_ts > (SELECT max(arrival_ts) FROM arrivals WHERE stream = {stream:String}) - toIntervalMinute({minutes:UInt32})
GROUP BY minute_ms
ORDER BY minute_ms DESC;
