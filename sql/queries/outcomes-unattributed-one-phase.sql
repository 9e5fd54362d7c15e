-- Outcomes of a stream under a cut before their unit's first exposure, for streams whose experiments
-- are all split and in their first phase: the same number as outcomes-unattributed.sql, by a join of two columns.
SELECT count() AS outcomes
FROM outcomes FINAL
LEFT JOIN (
  SELECT reinterpretAsUInt128(sipHash128(unit_id)) AS key, min(event_ts) AS first_ts
  FROM exposures FINAL
  WHERE stream = {stream:String} AND reason = 'assigned' AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64}
  GROUP BY unit_id
) AS seen ON reinterpretAsUInt128(sipHash128(outcomes.unit_id)) = seen.key
WHERE stream = {stream:String}
  AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64}
  AND (seen.key = 0 OR event_ts < first_ts)
