-- Alerts and how long each lasted; open ones have no end.
SELECT rule, experiment, variant, alert_id, any(severity) AS severity,
  minIf(changed_at, state = 'firing') AS fired_at, maxIf(changed_at, state = 'resolved') AS resolved_at,
  if(countIf(state = 'resolved') = 0, NULL, date_diff('second', fired_at, resolved_at)) AS lasted_s
FROM v_alerts
GROUP BY rule, experiment, variant, alert_id
ORDER BY fired_at DESC
LIMIT 100
