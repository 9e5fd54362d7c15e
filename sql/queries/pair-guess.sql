-- How large values are, from the first ones met.
SELECT max(greatest(abs(control), abs(variant))) AS largest
FROM (
  SELECT control, variant
  FROM analysis_pair_rows
  WHERE indexHint(pair_set = {pairs:String})
  LIMIT 1000
)
