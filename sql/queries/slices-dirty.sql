-- Closed slices that a revision under cut_ms may change: a superset, usually empty.
--
-- late: outcomes that arrived after their own slice's cut.
-- revealed: exposures that arrived after the cut of a slice their unit has outcomes in, unless the
-- unit's first exposure to that variant in that phase was known before. Outcomes before the
-- phase's first exposure cannot change, so new units on time reach no closed slice at all.
--
-- Slices that closed after the previous revision are looked at from their own cut on.
WITH
  (
    SELECT toUnixTimestamp64Milli(max(through_ts))
    FROM closings
    WHERE stream = {stream:String} AND kind = 'revise' AND toUnixTimestamp64Milli(cut_ts) <= {since_ms:Int64}
  ) AS revised_through,
  least({since_ms:Int64}, revised_through + {slice_ms:Int64} + {lateness_ms:Int64}) AS known_ms,
  touched AS (
    SELECT DISTINCT unit_id
    FROM exposures
    WHERE stream = {stream:String}
      AND reason = 'assigned'
      AND arrival_ts > fromUnixTimestamp64Milli(known_ms, 'UTC')
      AND arrival_ts <= fromUnixTimestamp64Milli({cut_ms:Int64}, 'UTC')
  ),
  sightings AS (
    SELECT unit_id, experiment, phase, variant,
      toUnixTimestamp64Milli(min(event_ts)) AS first_ms,
      toUnixTimestamp64Milli(max(arrival_ts)) AS arrival_ms,
      countIf(toUnixTimestamp64Milli(arrival_ts) <= known_ms) AS known,
      minIf((event_ts, event_id), toUnixTimestamp64Milli(arrival_ts) <= known_ms) AS known_first,
      minIf((event_ts, event_id), toUnixTimestamp64Milli(arrival_ts) > known_ms) AS new_first,
      known < count() AND (known = 0 OR new_first < known_first) AS is_change
    FROM exposures FINAL
    WHERE stream = {stream:String}
      AND reason = 'assigned'
      AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64}
      AND unit_id IN (SELECT unit_id FROM touched)
    GROUP BY unit_id, experiment, phase, variant
  ),
  revealed AS (
    SELECT unit_id, min(phase_first_ms) AS first_ms, max(phase_arrival_ms) AS arrival_ms
    FROM (
      SELECT unit_id, experiment, phase, min(first_ms) AS phase_first_ms, maxIf(arrival_ms, is_change) AS phase_arrival_ms
      FROM sightings
      GROUP BY unit_id, experiment, phase
      HAVING max(is_change) AND phase_arrival_ms > phase_first_ms + {lateness_ms:Int64}
    )
    GROUP BY unit_id
  )
SELECT DISTINCT slice_start
FROM (
  SELECT intDiv(toUnixTimestamp64Milli(event_ts), {slice_ms:Int64}) * {slice_ms:Int64} AS slice_start
  FROM outcomes
  WHERE stream = {stream:String}
    AND event_ts < fromUnixTimestamp64Milli({closed_through_ms:Int64}, 'UTC')
    AND arrival_ts > fromUnixTimestamp64Milli(known_ms, 'UTC')
    AND arrival_ts <= fromUnixTimestamp64Milli({cut_ms:Int64}, 'UTC')
    AND toUnixTimestamp64Milli(arrival_ts) > slice_start + {slice_ms:Int64} + {lateness_ms:Int64}
  UNION ALL
  SELECT intDiv(toUnixTimestamp64Milli(event_ts), {slice_ms:Int64}) * {slice_ms:Int64} AS slice_start
  FROM outcomes
  INNER JOIN revealed USING (unit_id)
  WHERE stream = {stream:String}
    AND event_ts < fromUnixTimestamp64Milli({closed_through_ms:Int64}, 'UTC')
    AND unit_id IN (SELECT unit_id FROM revealed)
    AND toUnixTimestamp64Milli(event_ts) >= revealed.first_ms
    AND slice_start + {slice_ms:Int64} + {lateness_ms:Int64} < revealed.arrival_ms
)
ORDER BY slice_start
