-- What could not be processed, and why?
SELECT code, count() AS records, min(arrival_ts) AS first, max(arrival_ts) AS last, any(message) AS example
FROM v_dead_letters
GROUP BY code
ORDER BY records DESC, code
