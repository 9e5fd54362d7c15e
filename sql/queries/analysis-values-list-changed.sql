-- Values, ascending, that more or fewer outcomes of an arm have since a step.
SELECT value AS point, toString(variant) AS variant, sum(count) AS change
FROM analysis_values_seen
WHERE workspace = {workspace:String} AND metric = {metric:UInt16} AND step = {step:UInt32}
GROUP BY point, variant
HAVING change != 0
ORDER BY point, variant
