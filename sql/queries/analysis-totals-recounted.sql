-- Rows of units from where they were worked out to where they are kept, in the order of their keys, to be brought up to date.
INSERT INTO analysis_totals (workspace, key, variant, outcomes, outcomes_late, seen_ms, n, sum_q, denominator_q, from_ms, to_ms, weights, weight_least, weight_low, weight_high, step)
SELECT {workspace:String}, key, variant, outcomes, outcomes_late, seen_ms, n, sum_q, denominator_q, from_ms, to_ms, weights, weight_least, weight_low, weight_high, step
FROM analysis_recounts
WHERE workspace = {from:String} AND step = {step:UInt32} AND metric = 0 AND variant != ''
