-- Follows `units` and `scoped`: exposed units per arm, crossovers under ''.
SELECT if(is_crossover, '', variant) AS arm, count() AS units, countIf(unit_id NOT IN (SELECT unit_id FROM scoped)) AS without_outcome
FROM units
GROUP BY arm
ORDER BY arm
