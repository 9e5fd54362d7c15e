-- Could chance alone explain how units were split? chi_square beyond critical (alpha 0.001) says no: do not trust the comparison.
WITH [10.828, 13.816, 16.266, 18.467, 20.515, 22.458, 24.322, 26.124, 27.877] AS critical_values
SELECT experiment, phase, sum(units) AS all_units,
  sum(pow(units - expected, 2) / expected) AS chi_square, count() - 1 AS degrees,
  critical_values[toUInt8(degrees)] AS critical, chi_square > critical AS is_mismatch
FROM (
  SELECT experiment, phase, units, weight_share * sum(units) OVER (PARTITION BY experiment, phase) AS expected
  FROM v_health
  WHERE weight_share > 0
)
GROUP BY experiment, phase
HAVING degrees BETWEEN 1 AND 9
ORDER BY experiment, phase
