-- Exact sums over the units of each arm: one row an arm, one element a metric.
SELECT variant, /* columns */
FROM analysis_totals FINAL
WHERE workspace = {workspace:String} AND outcomes > 0
GROUP BY variant
