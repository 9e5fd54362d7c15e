-- Follows `scoped`: distinct items per arm.
SELECT variant AS arm, uniqExact(item_id) AS units, 0 AS without_outcome
FROM scoped
WHERE item_id IS NOT NULL
GROUP BY arm
ORDER BY arm
