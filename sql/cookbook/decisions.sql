-- The course of an experiment's decisions, newest first, with the evidence behind each.
SELECT created_at, metric, variant, decision, reasons, effect_absolute, ci_low, ci_high, p_value, p_value_always_valid, verdict_id
FROM v_verdicts
WHERE experiment = 'answer-model'
ORDER BY created_at DESC, metric, variant
LIMIT 50
