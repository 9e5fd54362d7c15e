SELECT maxOrNull(phase) AS phase
FROM exposures FINAL
LEFT JOIN (
  SELECT unit_id, max(arrival_ts) AS forgotten_ts
  FROM tombstones
  WHERE stream = {stream:String}
  GROUP BY unit_id
) AS forgotten USING (unit_id)
WHERE stream = {stream:String}
  AND experiment = {experiment:String}
  AND reason = 'assigned'
  AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64}
  AND arrival_ts > forgotten_ts
