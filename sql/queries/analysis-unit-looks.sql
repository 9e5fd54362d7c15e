-- Units first exposed in each of at most 201 stretches of equal length, per arm.
WITH
  units AS (SELECT first_ms, variant FROM analysis_units FINAL WHERE workspace = {workspace:String} AND NOT is_crossover AND variant != ''),
  (SELECT (min(first_ms), max(first_ms)) FROM units) AS bounds,
  intDiv(bounds.2 - bounds.1, 200) + 1 AS step
SELECT bounds.1 + (intDiv(first_ms - bounds.1, step) + 1) * step AS until, variant AS arm, count() AS units
FROM units
GROUP BY until, arm
ORDER BY until, arm
