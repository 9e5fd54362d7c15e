-- The sum of squares of the values of each metric in each arm; counts are changes, and so is what they add.
SELECT metric, variant, toString(sum(/* count */ * q * q)) AS sum_squares_q, toString(sum(/* count */ * q)) AS plain_sum_q
FROM (
  SELECT metric, variant, count, /* q */ AS q
  FROM analysis_values_seen
  WHERE workspace = {workspace:String}
)
GROUP BY metric, variant
