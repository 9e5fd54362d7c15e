SELECT
  stream,
  partition,
  offset,
  code,
  message,
  key,
  base64Encode(value) AS value_base64,
  toUnixTimestamp64Milli(arrival_ts) AS arrival_ms
FROM dead_letters FINAL
WHERE ({stream:Nullable(String)} IS NULL OR stream = {stream:Nullable(String)})
  AND ({code:Nullable(String)} IS NULL OR code = {code:Nullable(String)})
  AND ({through:Nullable(Int64)} IS NULL OR arrival_ts <= fromUnixTimestamp64Milli(assumeNotNull({through:Nullable(Int64)}), 'UTC'))
ORDER BY arrival_ts DESC, stream, log_epoch, partition, offset DESC
LIMIT {limit:UInt32} OFFSET {skip:UInt32};
