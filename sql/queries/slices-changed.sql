-- Follows `WITH fresh AS (slices-recompute)`: the rows that differ from the newest stored revision;
-- a key that vanished comes out with n = 0. Experiments and metrics that are not asked about stay.
SELECT {stream:String} AS stream, key_experiment AS experiment, key_slice_start AS slice_start,
  key_slice_start + toIntervalMillisecond({slice_ms:Int64}) AS slice_end,
  key_phase AS phase, key_variant AS variant, key_metric AS metric, key_dimension AS dimension, key_value AS dimension_value,
  fromUnixTimestamp64Milli({cut_ms:Int64}, 'UTC') AS cut_ts, true AS is_revision,
  new_n AS n, if(new_n = 0, old_scale, new_scale) AS scale, new_sum_q AS sum_q, new_squares_q AS sum_squares_q,
  new_denominator_q AS denominator_sum_q, new_min AS min, new_max AS max, mapFromArrays(new_buckets, new_counts) AS histogram,
  if(new_n = 0, old_version, new_version) AS config_version,
  new_extra_weight AS extra_weight, new_extra_q AS extra_sum_q, new_extra_denominator_q AS extra_denominator_sum_q,
  new_extra_buckets AS extra_buckets, new_extra_squares AS extra_squares
FROM (
  SELECT experiment AS key_experiment, slice_start AS key_slice_start, phase AS key_phase, variant AS key_variant, metric AS key_metric,
    dimension AS key_dimension, dimension_value AS key_value, n AS new_n, scale AS new_scale, sum_q AS new_sum_q, sum_squares_q AS new_squares_q,
    denominator_sum_q AS new_denominator_q, min AS new_min, max AS new_max, mapKeys(histogram) AS new_buckets, mapValues(histogram) AS new_counts,
    config_version AS new_version, extra_weight AS new_extra_weight, extra_sum_q AS new_extra_q, extra_denominator_sum_q AS new_extra_denominator_q,
    extra_buckets AS new_extra_buckets, extra_squares AS new_extra_squares
  FROM fresh
) AS recomputed
FULL JOIN (
  SELECT toString(experiment) AS key_experiment, slice_start AS key_slice_start, phase AS key_phase, toString(variant) AS key_variant,
    toString(metric) AS key_metric, toString(dimension) AS key_dimension, dimension_value AS key_value,
    n AS old_n, scale AS old_scale, sum_q AS old_sum_q, sum_squares_q AS old_squares_q, denominator_sum_q AS old_denominator_q,
    min AS old_min, max AS old_max, mapKeys(histogram) AS old_buckets, mapValues(histogram) AS old_counts, config_version AS old_version,
    extra_weight AS old_extra_weight, extra_sum_q AS old_extra_q, extra_denominator_sum_q AS old_extra_denominator_q,
    extra_buckets AS old_extra_buckets, extra_squares AS old_extra_squares
  FROM slices_latest
  WHERE stream = {stream:String}
    AND toUnixTimestamp64Milli(slice_start) IN (SELECT arrayJoin({slices:Array(Int64)}))
    AND (experiment, metric) IN (SELECT pair.1, pair.2 FROM (SELECT arrayJoin({metrics:Array(Tuple(String, String))}) AS pair))
) AS stored USING (key_experiment, key_slice_start, key_phase, key_variant, key_metric, key_dimension, key_value)
WHERE new_n != old_n
  OR (new_n > 0 AND (new_scale, new_sum_q, new_squares_q, new_denominator_q, new_extra_weight, new_extra_q, new_extra_denominator_q, new_min, new_max, new_buckets, new_counts, mapKeys(new_extra_buckets), mapValues(new_extra_buckets), mapValues(new_extra_squares))
    != (old_scale, old_sum_q, old_squares_q, old_denominator_q, old_extra_weight, old_extra_q, old_extra_denominator_q, old_min, old_max, old_buckets, old_counts, mapKeys(old_extra_buckets), mapValues(old_extra_buckets), mapValues(old_extra_squares)))
