-- What does one successful answer cost? Sum over sum, not a mean of ratios.
SELECT variant, sum(measures['cost_usd']) AS cost_usd, countIf(status = 'ok') AS successes, cost_usd / successes AS cost_usd_per_success
FROM v_outcomes
WHERE experiment = 'answer-model'
GROUP BY variant
ORDER BY variant
