-- Mean score per variant in the newest phase, and its distance from control. For a decision read v_verdicts.
WITH
  (SELECT any(control) FROM v_experiments WHERE experiment = 'answer-model') AS control,
  (SELECT max(phase) FROM v_outcomes WHERE experiment = 'answer-model') AS newest,
  arms AS (
    SELECT variant, uniqExact(unit_id) AS units, count() AS outcomes, avg(measures['score']) AS mean
    FROM v_outcomes
    WHERE experiment = 'answer-model' AND phase = newest AND mapContains(measures, 'score')
    GROUP BY variant
  )
SELECT variant, units, outcomes, mean, mean - (SELECT any(mean) FROM arms WHERE variant = control) AS above_control
FROM arms
ORDER BY variant
