-- Traffic, errors and latency by hour of day (UTC): is a difference one of time rather than of variant?
SELECT toHour(event_ts) AS hour, variant, count() AS outcomes, countIf(status IN ('server_error', 'timeout')) / outcomes AS error_share,
  avgIf(measures['latency_ms'], mapContains(measures, 'latency_ms')) AS latency_ms
FROM v_outcomes
WHERE experiment = 'answer-model'
GROUP BY hour, variant
ORDER BY hour, variant
