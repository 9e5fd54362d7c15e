-- Follows `WITH fresh AS (slices-recompute)`: stored rows that are not what facts say, in any column.
-- as_of_ms = 0 looks at the rows written when slices closed, else at the state as of that revision.
-- What is told of them are the columns that differ, cut short: a histogram's can be thousands of characters.
SELECT slice, slice_start_ms, stored, recomputed
FROM (
SELECT concat(key_experiment, ' phase ', toString(key_phase), ' ', key_variant, ' ', key_metric,
    if(key_dimension = '', '', concat(' ', key_dimension, '=', key_value)), ' at ', toString(key_slice_start)) AS slice,
  toUnixTimestamp64Milli(key_slice_start) AS slice_start_ms,
  ['slice_end', 'n', 'scale', 'sum_q', 'sum_squares_q', 'denominator_sum_q', 'extra_weight', 'extra_sum_q', 'extra_denominator_sum_q', 'min', 'max', 'buckets', 'counts', 'sampled_buckets', 'sampled_weights', 'sampled_squares', 'config_version'] AS names,
  [toString(old_row.1), toString(old_row.2), toString(old_row.3), toString(old_row.4), toString(old_row.5), toString(old_row.6), toString(old_row.7), toString(old_row.8), toString(old_row.9), toString(old_row.10), toString(old_row.11), toString(old_row.12), toString(old_row.13), toString(old_row.14), toString(old_row.15), toString(old_row.16), toString(old_row.17)] AS old_texts,
  [toString(new_row.1), toString(new_row.2), toString(new_row.3), toString(new_row.4), toString(new_row.5), toString(new_row.6), toString(new_row.7), toString(new_row.8), toString(new_row.9), toString(new_row.10), toString(new_row.11), toString(new_row.12), toString(new_row.13), toString(new_row.14), toString(new_row.15), toString(new_row.16), toString(new_row.17)] AS new_texts,
  arrayFilter(i -> old_texts[i] != new_texts[i], arrayEnumerate(names)) AS differing,
  if(old_n = 0, 'nothing', arrayStringConcat(arrayMap(i -> concat(names[i], ' ', left(old_texts[i], 80)), differing), ', ')) AS stored,
  if(new_n = 0, 'nothing', arrayStringConcat(arrayMap(i -> concat(names[i], ' ', left(new_texts[i], 80)), differing), ', ')) AS recomputed
FROM (
  SELECT experiment AS key_experiment, slice_start AS key_slice_start, phase AS key_phase, variant AS key_variant, metric AS key_metric,
    dimension AS key_dimension, dimension_value AS key_value, n AS new_n,
    (slice_end, n, toUInt8(scale), sum_q, sum_squares_q, denominator_sum_q, extra_weight, extra_sum_q, extra_denominator_sum_q, min, max, mapKeys(histogram), mapValues(histogram), mapKeys(extra_buckets), mapValues(extra_buckets), mapValues(extra_squares), if({as_of_ms:Int64} = 0, config_version, 0)) AS new_row
  FROM fresh
) AS recomputed
FULL JOIN (
  SELECT toString(experiment) AS key_experiment, slice_start AS key_slice_start, phase AS key_phase, toString(variant) AS key_variant,
    toString(metric) AS key_metric, toString(dimension) AS key_dimension, dimension_value AS key_value,
    argMax(n, (is_revision, cut_ts)) AS old_n,
    argMax((slice_end, n, scale, sum_q, sum_squares_q, denominator_sum_q, extra_weight, extra_sum_q, extra_denominator_sum_q, min, max, mapKeys(histogram), mapValues(histogram), mapKeys(extra_buckets), mapValues(extra_buckets), mapValues(extra_squares), if({as_of_ms:Int64} = 0, config_version, 0)), (is_revision, cut_ts)) AS old_row
  FROM slices FINAL
  WHERE stream = {stream:String}
    AND slice_start >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
    AND slice_start < fromUnixTimestamp64Milli({through_ms:Int64}, 'UTC')
    AND (empty({slices:Array(Int64)}) OR toUnixTimestamp64Milli(slice_start) IN (SELECT arrayJoin({slices:Array(Int64)})))
    AND (experiment, metric) IN (SELECT pair.1, pair.2 FROM (SELECT arrayJoin({metrics:Array(Tuple(String, String))}) AS pair))
    AND if(is_revision,
      toUnixTimestamp64Milli(cut_ts) <= {as_of_ms:Int64} AND cut_ts IN (SELECT cut_ts FROM closings WHERE stream = {stream:String} AND kind = 'revise'),
      slice_end <= (SELECT max(through_ts) FROM closings WHERE stream = {stream:String} AND kind = 'close'))
  GROUP BY key_experiment, key_slice_start, key_phase, key_variant, key_metric, key_dimension, key_value
) AS stored USING (key_experiment, key_slice_start, key_phase, key_variant, key_metric, key_dimension, key_value)
WHERE new_n != old_n OR (new_n > 0 AND new_row != old_row)
)
ORDER BY slice
