-- What the audit had found when the newest verdict of a stream was written.
SELECT JSONExtractRaw(row, 'audit') AS audit
FROM verdicts
WHERE stream = {stream:String}
ORDER BY created_at DESC
LIMIT 1;
