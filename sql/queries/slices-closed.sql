-- The stored slices of an experiment, newest revision of each key; n = 0: the key vanished.
SELECT experiment, phase, variant, metric, dimension, dimension_value, toUnixTimestamp64Milli(slice_start) AS slice_start_ms,
  n, scale, toString(sum_q) AS sum_q, toString(sum_squares_q) AS sum_squares_q, toString(denominator_sum_q) AS denominator_sum_q,
  toString(extra_weight) AS extra_weight, toString(extra_sum_q) AS extra_sum_q, toString(extra_denominator_sum_q) AS extra_denominator_sum_q,
  min, max, mapKeys(histogram) AS buckets, mapValues(histogram) AS counts,
  mapKeys(extra_buckets) AS sampled_buckets, arrayMap(w -> toString(w), mapValues(extra_buckets)) AS sampled_weights, arrayMap(w -> toString(w), mapValues(extra_squares)) AS sampled_squares,
  toUnixTimestamp64Milli(cut_ts) AS cut_ms, config_version, is_revision
FROM slices_latest
WHERE stream = {stream:String} AND experiment = {experiment:String}
ORDER BY slice_start, phase, variant, metric, dimension, dimension_value
