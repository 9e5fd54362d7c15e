-- Does the effect hold in every region and with every model version, or does one carry it?
WITH (SELECT any(control) FROM v_experiments WHERE experiment = 'answer-model') AS control
SELECT attributes['region'] AS region, attributes['model_version'] AS model_version,
  countIf(variant = control) AS outcomes_control, countIf(variant != control) AS outcomes_others,
  avgIf(measures['score'], variant = control) AS score_control, avgIf(measures['score'], variant != control) AS score_others,
  score_others - score_control AS difference
FROM v_outcomes
WHERE experiment = 'answer-model' AND mapContains(measures, 'score')
GROUP BY region, model_version
ORDER BY region, model_version
