-- Follows `units`: units first exposed in each of at most 201 stretches of equal length, per arm.
WITH (SELECT (min(first_ms), max(first_ms)) FROM units WHERE NOT is_crossover) AS bounds,
  intDiv(bounds.2 - bounds.1, 200) + 1 AS step
SELECT bounds.1 + (intDiv(first_ms - bounds.1, step) + 1) * step AS until, variant AS arm, count() AS units
FROM units
WHERE NOT is_crossover
GROUP BY until, arm
ORDER BY until, arm
