-- Error share by region and variant: does one region suffer?
SELECT attributes['region'] AS region, variant, count() AS outcomes, countIf(status IN ('server_error', 'timeout')) / outcomes AS error_share
FROM v_outcomes
WHERE experiment = 'answer-model'
GROUP BY region, variant
ORDER BY region, variant
