-- Who changed an experiment, when, why, and to which weights?
SELECT valid_from, version, phase, lifecycle, variants, author, reason
FROM v_versions
WHERE experiment = 'answer-model'
ORDER BY version DESC
