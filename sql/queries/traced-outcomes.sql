-- The newest traced outcomes that arrived in (after_ms, until_ms] of units that the experiment counts.
SELECT trace_id, lower(hex(event_id)) AS id
FROM outcomes
WHERE stream = {stream:String} AND trace_id != ''
  AND arrival_ts > fromUnixTimestamp64Milli({after_ms:Int64}, 'UTC') AND arrival_ts <= fromUnixTimestamp64Milli({until_ms:Int64}, 'UTC')
  AND (mapContains(variant_hint, {experiment:String}) OR unit_id IN (
    SELECT unit_id FROM exposures WHERE stream = {stream:String} AND experiment = {experiment:String} AND reason = 'assigned'
  ))
ORDER BY arrival_ts DESC, id
LIMIT 1 BY id
LIMIT {limit:UInt32};
