-- Where events have several weights, quantiles and ranks are of what outcomes stand for, and their errors are over units:
-- the values of each unit by their weight, filled for such phases alone.
CREATE TABLE IF NOT EXISTS analysis_weights_seen (
  workspace String,
  metric UInt16,
  key UInt128,
  variant LowCardinality(String),
  value Float64,
  weight Int64 COMMENT '1 / sample_rate in millionths',
  count Int64 COMMENT 'changes; their sum is how often the unit has the value with that weight',
  step UInt32
) ENGINE = MergeTree
PARTITION BY workspace
ORDER BY (metric, value);

-- Windows and guards: what sampled outcomes stand for beyond themselves, by bucket of the histogram.
ALTER TABLE provisional_slices
  ADD COLUMN IF NOT EXISTS extra_buckets Map(Int16, Float64) COMMENT 'sum of w - 1000000 over the outcomes of a bucket, w = 1 / sample_rate in millionths',
  ADD COLUMN IF NOT EXISTS extra_squares Map(Int16, Float64) COMMENT 'sum of w * w - 1000000000000';

ALTER TABLE slices
  ADD COLUMN IF NOT EXISTS extra_buckets Map(Int16, Int128) COMMENT 'sum of w - 1000000 over the outcomes of a bucket',
  ADD COLUMN IF NOT EXISTS extra_squares Map(Int16, Int128) COMMENT 'sum of w * w - 1000000000000';

-- Internal. The rows of `slices` that count, newest per key: a closing counts once its slice is
-- closed, a revision once its marker is there. n = 0: the key vanished.
CREATE VIEW slices_latest AS
SELECT stream, experiment, slice_start, phase, variant, metric, dimension, dimension_value, revision,
  latest.1 AS slice_end, latest.2 AS cut_ts, latest.3 AS is_revision, latest.4 AS n, latest.5 AS scale, latest.6 AS sum_q,
  latest.7 AS sum_squares_q, latest.8 AS denominator_sum_q, latest.9 AS min, latest.10 AS max, latest.11 AS histogram,
  latest.12 AS config_version, latest.13 AS extra_weight, latest.14 AS extra_sum_q, latest.15 AS extra_denominator_sum_q,
  latest.16 AS extra_buckets, latest.17 AS extra_squares
FROM (
  SELECT stream, experiment, slice_start, phase, variant, metric, dimension, dimension_value,
    argMax((slice_end, cut_ts, is_revision, n, scale, sum_q, sum_squares_q, denominator_sum_q, min, max, histogram, config_version,
      extra_weight, extra_sum_q, extra_denominator_sum_q, extra_buckets, extra_squares), (is_revision, cut_ts)) AS latest,
    uniqExactIf(cut_ts, is_revision) AS revision
  FROM slices
  LEFT JOIN (
    SELECT stream, max(through_ts) AS closed_through
    FROM closings
    WHERE kind = 'close'
    GROUP BY stream
  ) AS closed USING (stream)
  WHERE if(is_revision,
    (stream, cut_ts) IN (SELECT stream, cut_ts FROM closings WHERE kind = 'revise'),
    slice_end <= closed_through)
  GROUP BY stream, experiment, slice_start, phase, variant, metric, dimension, dimension_value
) AS newest;

-- Internal. Hopping windows [k·slide, k·slide + size) whose end lies in (from_ms, to_ms], unchecked.
-- Closed slices count exactly, at scale 12; slices not closed yet come from the workers' memory. Sums and
-- means and quantiles are of all outcomes that those sent stand for; n, the spread and the extremes of those sent.
CREATE VIEW windows_between AS
WITH
  toInt64({size_s:UInt32}) * 1000 AS size_ms,
  greatest(toInt64({slide_s:UInt32}) * 1000, 1) AS slide_ms,
  arrayMap(i -> toInt256(concat('1', repeat('0', i))), range(25)) AS powers,
  (SELECT edges FROM histogram_edges) AS edges,
  closed AS (
    SELECT stream, max(through_ts) AS closed_through
    FROM closings
    WHERE kind = 'close'
    GROUP BY stream
  ),
  bases AS (SELECT stream, slice_ms FROM streams FINAL),
  pieces AS (
    SELECT stream, experiment, phase, variant, metric, dimension, dimension_value,
      toUnixTimestamp64Milli(slice_start) AS start_ms, toUnixTimestamp64Milli(slice_end) AS end_ms,
      n, n AS exact_n, sum_q * powers[13 - scale] AS exact_sum, sum_squares_q * powers[25 - 2 * scale] AS exact_squares,
      denominator_sum_q * powers[13 - scale] AS exact_denominator,
      extra_weight AS exact_extra_n, extra_sum_q * powers[13 - scale] AS exact_extra, extra_denominator_sum_q * powers[13 - scale] AS exact_extra_denominator,
      0. AS sum, 0. AS m2, 0. AS denominator, 0. AS extra_n, 0. AS extra, 0. AS extra_denominator, min, max,
      arrayConcat(mapKeys(histogram), mapKeys(extra_buckets)) AS buckets,
      arrayConcat(arrayMap(c -> 1000000. * c, mapValues(histogram)), arrayMap(w -> toFloat64(w), mapValues(extra_buckets))) AS weights, revision
    FROM slices_latest
    UNION ALL
    SELECT stream, experiment, phase, variant, metric, dimension, dimension_value,
      toUnixTimestamp64Milli(slice_start) AS start_ms, start_ms + if(bases.slice_ms = 0, 10000, bases.slice_ms) AS end_ms,
      n, 0, 0, 0, 0, 0, 0, 0, sum, m2, denominator_sum, extra_weight, extra_sum, extra_denominator_sum, min, max,
      arrayConcat(mapKeys(histogram), mapKeys(extra_buckets)),
      arrayConcat(arrayMap(c -> 1000000. * c, mapValues(histogram)), mapValues(extra_buckets)), 0
    FROM provisional_slices FINAL
    LEFT JOIN closed USING (stream)
    LEFT JOIN bases USING (stream)
    WHERE slice_start >= closed_through
  ),
  merged AS (
    SELECT stream, experiment, phase, variant, metric, dimension, dimension_value,
      arrayJoin(range(intDiv(greatest(end_ms - size_ms, 0) + slide_ms - 1, slide_ms), intDiv(start_ms, slide_ms) + 1)) * slide_ms AS window_ms,
      sum(n) AS total_n, sum(exact_n) AS closed_n, sum(exact_sum) AS closed_sum, sum(exact_squares) AS closed_squares,
      sum(exact_denominator) AS closed_denominator,
      sum(exact_extra_n) AS closed_extra_n, sum(exact_extra) AS closed_extra, sum(exact_extra_denominator) AS closed_extra_denominator,
      arraySort(groupArrayIf((sum, m2, n, denominator, extra_n, extra, extra_denominator), n > exact_n)) AS parts,
      minIf(min, n > 0) AS lowest, maxIf(max, n > 0) AS highest,
      sumMap(buckets, weights) AS histogram, max(revision) AS revision
    FROM pieces
    WHERE start_ms > {from_ms:Int64} - size_ms AND end_ms <= {to_ms:Int64}
    GROUP BY stream, experiment, phase, variant, metric, dimension, dimension_value, window_ms
    HAVING total_n > 0 AND window_ms + size_ms > {from_ms:Int64} AND window_ms + size_ms <= {to_ms:Int64}
  ),
  measured AS (
    SELECT *,
      toFloat64(intDiv(closed_sum, powers[13])) + toFloat64(closed_sum % powers[13]) / 1e12 AS exact_part,
      exact_part + arraySum(parts.1) AS total,
      toFloat64(intDiv(closed_denominator, powers[13])) + toFloat64(closed_denominator % powers[13]) / 1e12 + arraySum(parts.4) AS plain_denominator,
      total_n + (toFloat64(closed_extra_n) + arraySum(parts.5)) / 1e6 AS estimated_n,
      total + toFloat64(intDiv(closed_extra, powers[19])) + toFloat64(closed_extra % powers[19]) / 1e18 + arraySum(parts.6) / 1e6 AS weighted_total,
      plain_denominator + toFloat64(intDiv(closed_extra_denominator, powers[19])) + toFloat64(closed_extra_denominator % powers[19]) / 1e18
        + arraySum(parts.7) / 1e6 AS weighted_denominator,
      total / total_n AS plain_mean,
      if(closed_n = 0, 0., toFloat64(closed_n * closed_squares - closed_sum * closed_sum) / closed_n / 1e24 + closed_n * pow(exact_part / closed_n - plain_mean, 2))
        + arraySum(arrayMap((s, m, c) -> m + c * pow(s / c - plain_mean, 2), parts.1, parts.2, parts.3)) AS squared_deviations,
      arrayCumSum(histogram.2) AS running,
      -- Where nothing was sampled, the element at floor(p * n).
      arrayMap(p -> histogram.1[arrayFirstIndex(w -> w > if(estimated_n = total_n, 1000000. * least(toInt64(total_n) - 1, toInt64(floor(p * total_n))), p * running[-1]), running)], [0.5, 0.95, 0.99]) AS at,
      arrayMap(b -> least(highest, greatest(lowest, if(b = 0, 0., sign(b) * sqrt(edges[abs(b)]) * sqrt(edges[least(abs(b) + 1, length(edges))])))), at) AS quantiles
    FROM merged
  )
SELECT stream, experiment, phase, variant, metric, dimension, dimension_value,
  fromUnixTimestamp64Milli(window_ms, 'UTC') AS window_start,
  fromUnixTimestamp64Milli(window_ms + size_ms, 'UTC') AS window_end,
  total_n AS n, estimated_n, weighted_total AS sum,
  if(weighted_denominator = 0, weighted_total / estimated_n, weighted_total / weighted_denominator) AS mean,
  if(total_n > 1, sqrt(squared_deviations / (total_n - 1)), NULL) AS sd,
  lowest AS min, highest AS max, quantiles[1] AS p50, quantiles[2] AS p95, quantiles[3] AS p99,
  if(window_end <= closed_through, 'closed', 'provisional') AS status,
  revision, bases.slice_ms AS slice_ms
FROM measured
LEFT JOIN closed USING (stream)
LEFT JOIN bases USING (stream);
