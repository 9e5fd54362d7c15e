-- Over the units of two arms: the weight of a unit's outcomes (d), and the same times the place of each among the
-- outcomes of the other arm (s), which is twice the weight below it and once the weight it is tied with.
WITH
  pieces AS (
    SELECT value, toString(variant) AS arm, key, sum(toInt128(weight) * count) AS w
    FROM analysis_weights_seen
    WHERE workspace = {workspace:String} AND metric = {metric:UInt16} AND variant IN ({control:String}, {variant:String})
    GROUP BY value, arm, key
    HAVING w != 0
  ),
  ladder AS (
    SELECT value, under_control, under_variant,
      2 * sum(under_control) OVER (ORDER BY value ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - under_control AS place_in_control,
      2 * sum(under_variant) OVER (ORDER BY value ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - under_variant AS place_in_variant
    FROM (
      SELECT value, sumIf(w, arm = {control:String}) AS under_control, sumIf(w, arm = {variant:String}) AS under_variant
      FROM pieces
      GROUP BY value
    )
  )
SELECT arm AS variant, count() AS units, toString(sum(s)) AS sum, toString(sum(d)) AS weight, toString(sum(toInt256(s) * s)) AS sum_squares,
  toString(sum(toInt256(d) * d)) AS weight_squares, toString(sum(toInt256(s) * d)) AS cross
FROM (
  SELECT arm, key, sum(w) AS d, sum(toInt256(w) * if(arm = {control:String}, place_in_variant, place_in_control)) AS s
  FROM pieces
  INNER JOIN ladder USING (value)
  GROUP BY arm, key
)
GROUP BY arm
ORDER BY variant
