-- Has a variant's score changed over time? Kolmogorov–Smirnov: the older half of its outcomes against the newer half.
WITH halves AS (
  SELECT variant, measures['score'] AS score, row_number() OVER (PARTITION BY variant ORDER BY event_ts, event_id) * 2 > count() OVER (PARTITION BY variant) AS is_newer
  FROM v_outcomes
  WHERE experiment = 'answer-model' AND mapContains(measures, 'score')
)
SELECT variant, countIf(NOT is_newer) AS older, countIf(is_newer) AS newer,
  tupleElement(kolmogorovSmirnovTest('two-sided')(score, toUInt8(is_newer)) AS ks, 1) AS d, tupleElement(ks, 2) AS p_value, d > 0.15 AS is_drift
FROM halves
GROUP BY variant
HAVING older > 1 AND newer > 1
ORDER BY variant
