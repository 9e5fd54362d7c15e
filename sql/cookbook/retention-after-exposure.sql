-- Of the units of each variant, what share came back n days after their first exposure?
WITH
  firsts AS (
    SELECT unit_id, argMin(variant, (event_ts, event_id)) AS variant, min(event_ts) AS exposed
    FROM v_exposures
    WHERE experiment = 'answer-model' AND reason = 'assigned'
    GROUP BY unit_id
    HAVING uniqExact(v_exposures.variant) = 1
  ),
  days AS (
    SELECT DISTINCT unit_id, variant, intDiv(date_diff('second', exposed, event_ts), 86400) AS day
    FROM v_outcomes
    INNER JOIN firsts USING (unit_id)
    WHERE experiment = 'answer-model' AND event_ts >= exposed
  ),
  arms AS (SELECT variant, count() AS units FROM firsts GROUP BY variant)
SELECT variant, day, count() AS units_back, any(arms.units) AS units_exposed, units_back / units_exposed AS share
FROM days
INNER JOIN arms USING (variant)
GROUP BY variant, day
ORDER BY variant, day
