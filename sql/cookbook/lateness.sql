-- How late do outcomes arrive after they happened? Choose L from it.
SELECT partition, count() AS outcomes,
  quantile(0.5)(date_diff('millisecond', event_ts, arrival_ts)) AS p50_ms,
  quantile(0.99)(date_diff('millisecond', event_ts, arrival_ts)) AS p99_ms,
  max(date_diff('millisecond', event_ts, arrival_ts)) AS max_ms
FROM v_outcomes
GROUP BY partition
ORDER BY partition
