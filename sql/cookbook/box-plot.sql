-- Five numbers and the outliers per variant: what a box plot draws (whiskers at 1.5 times the box).
WITH boxes AS (
  SELECT variant, quantileExact(0.25)(measures['latency_ms']) AS q1, quantileExact(0.5)(measures['latency_ms']) AS median,
    quantileExact(0.75)(measures['latency_ms']) AS q3, groupArray(measures['latency_ms']) AS latencies
  FROM v_outcomes
  WHERE experiment = 'answer-model' AND mapContains(measures, 'latency_ms')
  GROUP BY variant
)
SELECT variant,
  arrayMin(arrayFilter(x -> x >= q1 - 1.5 * (q3 - q1), latencies)) AS whisker_low, q1, median, q3,
  arrayMax(arrayFilter(x -> x <= q3 + 1.5 * (q3 - q1), latencies)) AS whisker_high,
  length(arrayFilter(x -> x < whisker_low OR x > whisker_high, latencies)) AS outliers
FROM boxes
ORDER BY variant
