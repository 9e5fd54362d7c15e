-- The rows that one analysis wrote, in the order of its metrics.
SELECT row
FROM verdicts
WHERE stream = {stream:String} AND experiment = {experiment:String} AND created_at = fromUnixTimestamp64Milli({created_ms:Int64}, 'UTC')
ORDER BY metric, variant
LIMIT 1 BY verdict_id;
