-- Units that met more than one variant within a phase, and when.
SELECT experiment, phase, unit_id, groupUniqArray(variant) AS variants, min(event_ts) AS first_met, max(event_ts) AS last_met
FROM v_exposures
WHERE reason = 'assigned'
GROUP BY experiment, phase, unit_id
HAVING length(variants) > 1
ORDER BY experiment, phase, unit_id
LIMIT 100
