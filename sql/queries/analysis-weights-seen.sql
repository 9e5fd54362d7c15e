-- How often each value of one metric occurs in each unit, by the weight of the outcomes that have it.
INSERT INTO analysis_weights_seen (workspace, metric, key, variant, value, weight, count, step)
SELECT {workspace:String}, {metric:UInt16}, key, {arms:Array(String)}[arm] AS variant, value[{metric:UInt16} + 1] AS one, weight, /* count */ AS n, {step:UInt32}
FROM /* answers */
WHERE workspace = {workspace:String} AND arm != 0 AND bitTest(present, {metric:UInt16})
GROUP BY key, arm, one, weight
HAVING n != 0
