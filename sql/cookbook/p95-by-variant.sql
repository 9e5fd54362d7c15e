-- Exact tail latency of each variant over the newest phase; v_windows has it within 1 % and far faster.
SELECT variant, count() AS outcomes,
  quantileExact(0.5)(measures['latency_ms']) AS p50_ms,
  quantileExact(0.95)(measures['latency_ms']) AS p95_ms,
  quantileExact(0.99)(measures['latency_ms']) AS p99_ms
FROM v_outcomes
WHERE experiment = 'answer-model' AND mapContains(measures, 'latency_ms')
  AND phase = (SELECT max(phase) FROM v_outcomes WHERE experiment = 'answer-model')
GROUP BY variant
ORDER BY variant
