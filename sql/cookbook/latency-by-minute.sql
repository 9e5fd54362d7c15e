-- How does each variant's latency move, minute by minute? Sliding: a new window every 10 seconds.
SELECT window_end, variant, n, p50, p95, p99, status
FROM v_windows(size_s = 60, slide_s = 10)
WHERE experiment = 'answer-model' AND metric = 'latency_p95'
ORDER BY window_end DESC, variant
LIMIT 60
