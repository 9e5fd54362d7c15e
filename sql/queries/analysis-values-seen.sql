-- How often each value of one metric occurs in each variant.
INSERT INTO analysis_values_seen (workspace, metric, value, variant, count, step)
SELECT {workspace:String}, {metric:UInt16}, value[{metric:UInt16} + 1] AS one, variant, sum(sign) AS n, {step:UInt32}
FROM analysis_outcomes
WHERE workspace = {workspace:String} AND bitTest(present, {metric:UInt16})
GROUP BY one, variant
HAVING n != 0
