-- What did guards and canaries do, when, and on what evidence?
SELECT acted_at, experiment, guard, action, variant, metric, value, threshold, n, window_s, reason_code
FROM v_guard_actions
ORDER BY acted_at DESC, experiment
LIMIT 100
