-- The newest, as many as a worker remembers.
SELECT id_hash
FROM forgotten_events
WHERE stream = {stream:String}
ORDER BY forgotten_ts DESC
LIMIT {ids_max:UInt32}
