-- Distinct items per arm.
SELECT variant AS arm, uniqExact(item) AS units, 0 AS without_outcome
FROM analysis_outcomes
WHERE workspace = {workspace:String} AND item != 0
GROUP BY arm
ORDER BY arm
