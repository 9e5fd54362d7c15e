-- Units that a step changed in what analysis-unit-tally tells of them: as they are (sign 1) and as they were (sign -1).
WITH
  seen AS (
    SELECT key, minIf(seen_ms, step < {step:UInt32} AND outcomes > 0) AS before, minIf(seen_ms, step = {step:UInt32} AND outcomes > 0) AS after
    FROM analysis_recounts
    WHERE workspace = {changed:String}
    GROUP BY key
  ),
  units AS (
    SELECT key, argMaxIf((variant, is_crossover, first_ms), step, step < {step:UInt32}) AS was, min(step) < {step:UInt32} AS is_known,
      argMax((variant, is_crossover, first_ms), step) AS is
    FROM analysis_units
    PREWHERE key IN (
      SELECT key FROM analysis_units WHERE workspace = {changed:String}
      UNION DISTINCT
      SELECT key FROM seen WHERE before != after
    )
    WHERE workspace = {workspace:String}
    GROUP BY key
  )
SELECT sign, toString(unit.1) AS variant, unit.2 AS is_crossover, toFloat64(unit.3) AS first, toFloat64(if(sign = 1, after, before)) AS seen
FROM units
LEFT JOIN seen USING (key)
ARRAY JOIN [toInt8(1), toInt8(-1)] AS sign, [is, was] AS unit
WHERE sign = 1 OR is_known
