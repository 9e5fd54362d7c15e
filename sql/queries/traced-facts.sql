-- Facts of traced requests that arrived in (after_ms, until_ms], oldest first. Copies of one event are one.
SELECT kind, trace_id, lower(hex(event_id)) AS id, experiment, variant, phase, status,
  toUnixTimestamp64Milli(event_ts) AS event_ms, toUnixTimestamp64Milli(append_ts) AS append_ms, partition, offset
FROM (
  SELECT 'exposure' AS kind, trace_id, event_id, toString(experiment) AS experiment, toString(variant) AS variant, phase, '' AS status, event_ts, append_ts, arrival_ts, partition, offset
  FROM exposures
  WHERE stream = {stream:String} AND trace_id != ''
    AND arrival_ts > fromUnixTimestamp64Milli({after_ms:Int64}, 'UTC') AND arrival_ts <= fromUnixTimestamp64Milli({until_ms:Int64}, 'UTC')
  UNION ALL
  SELECT 'outcome', trace_id, event_id, '', '', 0, toString(status), event_ts, append_ts, arrival_ts, partition, offset
  FROM outcomes
  WHERE stream = {stream:String} AND trace_id != ''
    AND arrival_ts > fromUnixTimestamp64Milli({after_ms:Int64}, 'UTC') AND arrival_ts <= fromUnixTimestamp64Milli({until_ms:Int64}, 'UTC')
)
ORDER BY arrival_ts, id
LIMIT 1 BY kind, id
LIMIT {limit:UInt32};
