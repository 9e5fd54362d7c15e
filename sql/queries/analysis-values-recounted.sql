-- As analysis-values-seen, of all metrics, from what was counted with the units.
INSERT INTO analysis_values_seen (workspace, metric, value, variant, count, step)
SELECT {workspace:String}, metric - 1, value, variant, toInt64(n[least(metric, length(n))]), {step:UInt32}
FROM analysis_recounts
WHERE workspace = {workspace:String} AND metric > 0 AND variant != '' AND n[least(metric, length(n))] > 0
