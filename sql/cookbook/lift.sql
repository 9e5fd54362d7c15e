-- How much better is each variant, in percent of control, with its interval? The newest verdict of each metric.
SELECT metric, variant, mean_control, mean_variant,
  100 * effect_relative AS effect_percent, effect_absolute, cs_low, cs_high, p_value_always_valid, decision, created_at
FROM v_verdicts
WHERE experiment = 'answer-model'
ORDER BY metric, variant, created_at DESC
LIMIT 1 BY metric, variant
