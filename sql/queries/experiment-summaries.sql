-- One row per treatment and metric: what its newest verdict says of the experiment.
SELECT
  experiment,
  variant,
  decision,
  JSONExtract(row, 'reasons', 'Array(String)') AS reasons,
  JSONExtractString(row, 'health', 'srm', 'status') = 'unhealthy'
    OR JSONExtractString(row, 'health', 'crossovers', 'status') = 'unhealthy'
    OR JSONExtractString(row, 'health', 'missing_outcomes', 'status') = 'unhealthy'
    OR JSONExtractString(row, 'health', 'ledger', 'status') = 'unhealthy' AS is_unhealthy,
  JSONExtractString(row, 'health', 'srm', 'status') != 'not-computable' OR JSONExtractString(row, 'health', 'ledger', 'status') != 'not-checked' AS is_checked,
  arraySum(mapValues(JSONExtract(row, 'health', 'srm', 'observed', 'Map(String, UInt64)'))) AS units,
  JSONExtract(row, 'outcomes_late', 'UInt64') AS outcomes_late,
  JSONExtractString(row, 'data_to') AS data_to,
  formatDateTime(created_at, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC') AS analysed_at
FROM verdicts
WHERE stream = {stream:String} AND verdict_id IN (
  SELECT argMax(verdict_id, (created_at, verdict_id))
  FROM verdicts
  WHERE stream = {stream:String}
  GROUP BY experiment, metric, variant
)
ORDER BY experiment, variant, created_at DESC, verdict_id DESC;
