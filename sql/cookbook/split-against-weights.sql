-- Did units meet the variants in the configured shares? The verdict's SRM check says whether by chance.
SELECT experiment, phase, variant, units, units_share, weight_share, phase_crossover_units, units_without_outcome
FROM v_health
ORDER BY experiment, phase, variant
