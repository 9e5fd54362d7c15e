-- A forgotten unit's exposures count again from the newest tombstone on: provisional rows may miss some, never show a forgotten one.
-- The first assigned exposure of each unit per experiment and phase, by (event_ts, event_id bytes).
SELECT
  unit_id,
  experiment,
  phase,
  argMin(e.variant, (e.event_ts, e.event_id)) AS first_variant,
  toUnixTimestamp64Milli(min(e.event_ts)) AS event_ms,
  lower(hex(argMin(e.event_id, (e.event_ts, e.event_id)))) AS first_id,
  uniqExact(e.variant) > 1 AS is_crossover
FROM exposures AS e FINAL
WHERE stream = {stream:String} AND unit_id IN {units:Array(String)} AND reason = 'assigned'
  AND (unit_id NOT IN (SELECT unit_id FROM tombstones WHERE stream = {stream:String})
    OR arrival_ts > (SELECT max(arrival_ts) FROM tombstones WHERE stream = {stream:String}))
GROUP BY unit_id, experiment, phase
ORDER BY unit_id, experiment, phase;
