-- Items with a value in either of two arms: the mean of their outcomes in each, nan without one.
-- A pair belongs to the unit that all its outcomes have; one of several units stands for itself.
INSERT INTO analysis_pair_rows (pair_set, control, variant, cluster, difference_steps, size_class)
SELECT if(isNaN(under_control) OR isNaN(under_variant), {unpaired:String}, {pairs:String}), under_control, under_variant, unit,
  /* steps */
FROM (
  SELECT if(min(key) = max(key), min(key), item) AS unit,
    sumIf(/* q */, arm = indexOf({arms:Array(String)}, {control:String})) AS control_q, sumIf(/* d */, arm = indexOf({arms:Array(String)}, {control:String})) AS control_d,
    sumIf(/* q */, arm = indexOf({arms:Array(String)}, {variant:String})) AS variant_q, sumIf(/* d */, arm = indexOf({arms:Array(String)}, {variant:String})) AS variant_d,
    if(control_d = 0, nan, toFloat64(control_q) / {multiplier:Float64} / (toFloat64(control_d) / {divisor:Float64})) + 0. AS under_control,
    if(variant_d = 0, nan, toFloat64(variant_q) / {multiplier:Float64} / (toFloat64(variant_d) / {divisor:Float64})) + 0. AS under_variant
  FROM analysis_items
  WHERE workspace = {workspace:String} AND item != 0 AND bitTest(present, {metric:UInt16}) AND {arms:Array(String)}[arm] IN ({control:String}, {variant:String})
  GROUP BY item
)
WHERE NOT isNaN(under_control) OR NOT isNaN(under_variant)
