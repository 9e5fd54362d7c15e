-- Follows `units`: exposed units per arm.
SELECT variant, count() AS units
FROM units
WHERE NOT is_crossover
GROUP BY variant
