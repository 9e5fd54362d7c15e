-- Where are units lost: exposed, answered, answered well, scored 0.8 or better?
WITH
  exposed AS (
    SELECT unit_id, argMin(variant, (event_ts, event_id)) AS variant
    FROM v_exposures
    WHERE experiment = 'answer-model' AND reason = 'assigned'
    GROUP BY unit_id
    HAVING uniqExact(v_exposures.variant) = 1
  ),
  answers AS (
    SELECT unit_id, count() AS outcomes, countIf(status = 'ok') AS good, max(measures['score']) AS best
    FROM v_outcomes
    WHERE experiment = 'answer-model'
    GROUP BY unit_id
  )
SELECT variant, count() AS exposed_units, countIf(outcomes > 0) AS answered, countIf(good > 0) AS answered_well, countIf(good > 0 AND best >= 0.8) AS scored,
  scored / exposed_units AS share
FROM exposed
LEFT JOIN answers USING (unit_id)
GROUP BY variant
ORDER BY variant
