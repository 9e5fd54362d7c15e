-- The ids' own hour lies within a day of event_ts; it only prunes what is read.
SELECT
  lower(hex(o.event_id)) AS event_id,
  unit_id,
  toUnixTimestamp64Milli(event_ts) AS event_ms,
  item_id,
  variant_hint,
  measures,
  status,
  sample_rate,
  trace_id,
  attributes,
  toUnixTimestamp64Milli(append_ts) AS append_ms,
  toUnixTimestamp64Milli(arrival_ts) AS arrival_ms,
  offset
FROM outcomes AS o FINAL
WHERE stream = {stream:String}
  AND intDiv(reinterpretAsUInt64(reverse(substring(o.event_id, 1, 6))), 3600000) >= intDiv(greatest({from_ms:Int64} - 86400000, 0), 3600000)
  AND log_epoch = {log_epoch:UInt16}
  AND partition = {partition:UInt16}
  AND offset >= {from_offset:UInt64}
  AND offset < {below:UInt64}
  AND event_ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
ORDER BY offset
LIMIT {rows_max:UInt32};
