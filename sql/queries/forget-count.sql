SELECT uniqExact(id_hash) AS events
FROM (
  SELECT xxHash64(concat(char(1), event_id, unit_id)) AS id_hash
  FROM exposures
  WHERE stream = {stream:String} AND unit_id = {unit:String} AND toUnixTimestamp64Milli(arrival_ts) <= {forgotten_ms:Int64}
  UNION ALL
  SELECT xxHash64(concat(char(2), event_id, unit_id))
  FROM outcomes
  WHERE stream = {stream:String} AND unit_id = {unit:String} AND toUnixTimestamp64Milli(arrival_ts) <= {forgotten_ms:Int64}
)
