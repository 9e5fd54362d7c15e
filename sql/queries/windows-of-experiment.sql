-- window_end in (from, to]; dimension '' stands for the totals.
SELECT
  stream,
  experiment,
  phase,
  variant,
  metric,
  toUnixTimestamp64Milli(w.window_start) AS window_start,
  toUnixTimestamp64Milli(w.window_end) AS window_end,
  n,
  estimated_n,
  sum,
  mean,
  sd,
  min,
  max,
  p50,
  p95,
  p99,
  status,
  revision
FROM windows_between(size_s = {size_s:UInt32}, slide_s = {slide_s:UInt32}, from_ms = {from_ms:Int64}, to_ms = {to_ms:Int64}) AS w
WHERE stream = {stream:String} AND experiment = {experiment:String} AND dimension = {dimension:String} AND dimension_value = {dimension_value:String}
ORDER BY window_end, phase, variant, metric;
