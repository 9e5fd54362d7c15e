-- Means of units, ascending, that more or fewer units of an arm have since a step.
SELECT point, variant, sum(sign) AS change
FROM (
  SELECT toString(variant) AS variant, if(step = {step:UInt32}, 1, -1) AS sign,
    sum_q[{metric:UInt16} + 1] AS s, denominator_q[{metric:UInt16} + 1] AS d, /* mean */ + 0. AS point
  FROM analysis_recounts
  WHERE workspace = {changed:String} AND outcomes > 0 AND n[{metric:UInt16} + 1] > 0 AND d != 0
)
GROUP BY point, variant
HAVING change != 0
ORDER BY point, variant
