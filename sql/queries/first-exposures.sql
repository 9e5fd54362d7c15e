-- The first assigned exposure of each unit per experiment and phase, by (event_ts, event_id bytes).
SELECT
  unit_id,
  experiment,
  phase,
  argMin(variant, (event_ts, event_id)) AS variant,
  toUnixTimestamp64Milli(min(event_ts)) AS event_ms,
  lower(hex(argMin(event_id, (event_ts, event_id)))) AS event_id,
  uniqExact(e.variant) > 1 AS is_crossover
FROM exposures AS e FINAL
WHERE stream = {stream:String} AND unit_id IN {units:Array(String)} AND reason = 'assigned'
GROUP BY unit_id, experiment, phase
ORDER BY unit_id, experiment, phase;
