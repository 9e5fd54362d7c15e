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
GROUP BY unit_id, experiment, phase
ORDER BY unit_id, experiment, phase;
