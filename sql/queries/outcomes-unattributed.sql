-- Outcomes of a stream under a cut that belong to no experiment and are no crossover either.
SELECT (
  SELECT count()
  FROM outcomes FINAL
  LEFT JOIN (
    SELECT unit_id, max(arrival_ts) AS forgotten_ts
    FROM tombstones
    WHERE stream = {stream:String}
    GROUP BY unit_id
  ) AS forgotten USING (unit_id)
  WHERE stream = {stream:String} AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64} AND arrival_ts > forgotten_ts
) - (
  SELECT uniqExact(log_epoch, partition, offset)
  FROM outcome_attributions(stream = {stream:String}, cut_ms = {cut_ms:Int64})
) AS outcomes
