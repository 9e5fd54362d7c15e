-- The phase of all exposures of an experiment, where they have one, all are assigned and nobody was forgotten.
-- Copies of an event cannot change that, so none are looked for.
SELECT if(count() > 0 AND min(phase) = max(phase) AND countIf(reason != 'assigned') = 0, toNullable(max(phase)), NULL) AS only,
  min(toUnixTimestamp64Milli(arrival_ts)) <= {cut_ms:Int64} AS is_seen,
  (SELECT count() FROM tombstones WHERE stream = {stream:String}) AS forgotten
FROM exposures
WHERE stream = {stream:String} AND experiment = {experiment:String}
