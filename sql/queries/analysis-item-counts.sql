-- Distinct items per arm.
SELECT {arms:Array(String)}[analysis_items.arm] AS arm, uniqExact(item) AS units, 0 AS without_outcome
FROM analysis_items
WHERE workspace = {workspace:String} AND item != 0
GROUP BY analysis_items.arm
ORDER BY arm
