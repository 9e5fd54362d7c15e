-- Units with an exposure of a phase that was not assigned.
SELECT uniqExact(unit_id) AS units
FROM exposures FINAL
LEFT JOIN (
  SELECT unit_id, max(arrival_ts) AS forgotten_ts
  FROM tombstones
  WHERE stream = {stream:String}
  GROUP BY unit_id
) AS forgotten USING (unit_id)
WHERE stream = {stream:String}
  AND experiment = {experiment:String}
  AND phase = {phase:UInt32}
  AND reason != 'assigned'
  AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64}
  AND arrival_ts > forgotten_ts
