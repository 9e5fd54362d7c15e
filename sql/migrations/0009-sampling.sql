-- Sampled outcomes by their weight, 1 / sample_rate in whole millionths w (core/sampling.ts): slices carry what weights
-- add beside the plain sums, so that a stream without sampling is stored and read as before.

ALTER TABLE provisional_slices
  ADD COLUMN IF NOT EXISTS extra_weight Float64 DEFAULT 0 COMMENT 'sum of w - 1000000 over outcomes',
  ADD COLUMN IF NOT EXISTS extra_sum Float64 DEFAULT 0 COMMENT 'the same times the value',
  ADD COLUMN IF NOT EXISTS extra_denominator_sum Float64 DEFAULT 0;

ALTER TABLE slices
  ADD COLUMN IF NOT EXISTS extra_weight Int128 DEFAULT 0 COMMENT 'sum of w - 1000000 over outcomes',
  ADD COLUMN IF NOT EXISTS extra_sum_q Int256 DEFAULT 0 COMMENT 'the same times the value, at 10^(scale + 6)',
  ADD COLUMN IF NOT EXISTS extra_denominator_sum_q Int256 DEFAULT 0;

-- What a verdict is worked out from: weights of events, and what they make of a unit's sums.
ALTER TABLE analysis_units ADD COLUMN IF NOT EXISTS weight Int64 DEFAULT 0 COMMENT 'least of its exposures in the phase';
ALTER TABLE analysis_values ADD COLUMN IF NOT EXISTS weight Int64 DEFAULT 1000000;
ALTER TABLE analysis_totals
  ADD COLUMN IF NOT EXISTS weight_low Int64 DEFAULT 1000000 COMMENT 'of all its outcomes',
  ADD COLUMN IF NOT EXISTS weight_high Int64 DEFAULT 1000000,
  ADD COLUMN IF NOT EXISTS weights Array(Int128) COMMENT 'by metric: sum of the weights of its outcomes; empty where all events have one weight',
  ADD COLUMN IF NOT EXISTS weight_least Array(Int64) COMMENT 'by metric: how many units one with an outcome stands for';

-- Internal. Which experiments an outcome belongs to (DESIGN C2) under one cut for all facts:
-- one row per outcome and experiment whose units it met. stream '' reads every stream.
CREATE VIEW outcome_attributions AS
WITH
  forgotten AS (
    SELECT stream, unit_id, max(arrival_ts) AS forgotten_ts
    FROM tombstones
    GROUP BY stream, unit_id
  ),
  definitions AS (
    SELECT stream, experiment, argMax(design, version) AS design, argMax(mapKeys(variants), version) AS variants,
      argMax(JSONExtract(definition, 'metrics', 'Array(Tuple(attributionMs Int64))').1, version) AS attributions,
      if(empty(attributions), 604800000, arrayMax(attributions)) AS attribution_ms
    FROM experiment_versions FINAL
    GROUP BY stream, experiment
  ),
  spans AS (
    SELECT stream, experiment, arraySort(groupArray((phase, start_ms))) AS list,
      list.1 AS phases, list.2 AS starts, arrayPushBack(arrayPopFront(starts), toInt64(0)) AS ends
    FROM (
      SELECT stream, experiment, phase, toUnixTimestamp64Milli(min(valid_from)) AS start_ms
      FROM experiment_versions FINAL
      GROUP BY stream, experiment, phase
    )
    GROUP BY stream, experiment
  ),
  phase_ends AS (
    SELECT stream, experiment, phase, end_ms, attribution_ms
    FROM spans
    INNER JOIN definitions USING (stream, experiment)
    ARRAY JOIN phases AS phase, ends AS end_ms
  ),
  facts AS (
    SELECT stream, unit_id, item_id, event_id, event_ts, toUnixTimestamp64Milli(event_ts) AS event_ms, variant_hint,
      measures, status, attributes, sample_rate, arrival_ts, log_epoch, partition, offset
    FROM outcomes FINAL
    LEFT JOIN forgotten USING (stream, unit_id)
    WHERE ({stream:String} = '' OR stream = {stream:String})
      AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64}
      AND arrival_ts > forgotten_ts
  ),
  sightings AS (
    SELECT stream, experiment, unit_id, groupArray((phase, first_ms, variant, is_crossover)) AS seen
    FROM (
      SELECT stream, experiment, unit_id, phase,
        toUnixTimestamp64Milli(min(event_ts)) AS first_ms,
        toString(argMin(variant, (event_ts, event_id))) AS variant,
        min(exposures.variant) != max(exposures.variant) AS is_crossover
      FROM exposures FINAL
      LEFT JOIN forgotten USING (stream, unit_id)
      WHERE ({stream:String} = '' OR stream = {stream:String})
        AND reason = 'assigned'
        AND toUnixTimestamp64Milli(arrival_ts) <= {cut_ms:Int64}
        AND arrival_ts > forgotten_ts
        AND (stream, experiment) NOT IN (SELECT stream, experiment FROM definitions WHERE design = 'paired')
      GROUP BY stream, experiment, unit_id, phase
    )
    GROUP BY stream, experiment, unit_id
  )
SELECT stream, experiment, phase, variant, is_crossover, unit_id, item_id, event_id, event_ts, measures, status,
  attributes, sample_rate, arrival_ts, log_epoch, partition, offset
FROM (
  SELECT stream, experiment, arraySort(e -> e.1, arrayFilter(e -> e.2 <= event_ms, seen)) AS reached,
    reached[-1].1 AS phase, reached[-1].3 AS variant, reached[-1].4 AS is_crossover,
    unit_id, item_id, event_id, event_ts, event_ms, measures, status, attributes, sample_rate, arrival_ts, log_epoch, partition, offset
  FROM facts
  INNER JOIN sightings USING (stream, unit_id)
  WHERE notEmpty(reached)
) AS reached_phases
LEFT JOIN phase_ends USING (stream, experiment, phase)
WHERE end_ms = 0 OR event_ms < end_ms + attribution_ms
UNION ALL
SELECT stream, experiment, phases[arrayLastIndex(start -> start <= event_ms, starts)] AS phase, variant, false,
  unit_id, item_id, event_id, event_ts, measures, status, attributes, sample_rate, arrival_ts, log_epoch, partition, offset
FROM (
  SELECT stream, toString(hinted) AS experiment, toString(hint) AS variant, unit_id, item_id, event_id, event_ts, event_ms,
    measures, status, attributes, sample_rate, arrival_ts, log_epoch, partition, offset
  FROM facts
  ARRAY JOIN mapKeys(variant_hint) AS hinted, mapValues(variant_hint) AS hint
) AS hints
INNER JOIN (
  SELECT stream, experiment, variants, phases, starts
  FROM definitions
  INNER JOIN spans USING (stream, experiment)
  WHERE design = 'paired'
) AS paired USING (stream, experiment)
WHERE has(variants, variant) AND phase > 0;

-- Outcomes as they stand under a cut, e.g. of a verdict: v_outcomes_at(stream='live', cut_ms=1767225600000).
CREATE VIEW v_outcomes_at AS
SELECT stream, experiment, phase, variant, unit_id, item_id, UUIDNumToString(event_id) AS event_id, event_ts,
  CAST(measures, 'Map(String, Float64)') AS measures, status, CAST(attributes, 'Map(String, String)') AS attributes, sample_rate,
  arrival_ts, log_epoch, partition, offset
FROM outcome_attributions(stream = {stream:String}, cut_ms = {cut_ms:Int64})
WHERE NOT is_crossover;

CREATE VIEW v_outcomes_all AS
SELECT * FROM v_outcomes_at(stream = '', cut_ms = 9000000000000000);

CREATE VIEW v_outcomes AS
SELECT * FROM v_outcomes_all WHERE stream = (SELECT stream FROM default_stream);

-- Internal. The rows of `slices` that count, newest per key: a closing counts once its slice is
-- closed, a revision once its marker is there. n = 0: the key vanished.
CREATE VIEW slices_latest AS
SELECT stream, experiment, slice_start, phase, variant, metric, dimension, dimension_value, revision,
  latest.1 AS slice_end, latest.2 AS cut_ts, latest.3 AS is_revision, latest.4 AS n, latest.5 AS scale, latest.6 AS sum_q,
  latest.7 AS sum_squares_q, latest.8 AS denominator_sum_q, latest.9 AS min, latest.10 AS max, latest.11 AS histogram,
  latest.12 AS config_version, latest.13 AS extra_weight, latest.14 AS extra_sum_q, latest.15 AS extra_denominator_sum_q
FROM (
  SELECT stream, experiment, slice_start, phase, variant, metric, dimension, dimension_value,
    argMax((slice_end, cut_ts, is_revision, n, scale, sum_q, sum_squares_q, denominator_sum_q, min, max, histogram, config_version,
      extra_weight, extra_sum_q, extra_denominator_sum_q), (is_revision, cut_ts)) AS latest,
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
-- means are of all outcomes that those sent stand for; spread and quantiles of those sent.
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
      0. AS sum, 0. AS m2, 0. AS denominator, 0. AS extra_n, 0. AS extra, 0. AS extra_denominator, min, max, mapKeys(histogram) AS buckets, mapValues(histogram) AS counts, revision
    FROM slices_latest
    UNION ALL
    SELECT stream, experiment, phase, variant, metric, dimension, dimension_value,
      toUnixTimestamp64Milli(slice_start) AS start_ms, start_ms + if(bases.slice_ms = 0, 10000, bases.slice_ms) AS end_ms,
      n, 0, 0, 0, 0, 0, 0, 0, sum, m2, denominator_sum, extra_weight, extra_sum, extra_denominator_sum, min, max, mapKeys(histogram), mapValues(histogram), 0
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
      sumMap(buckets, counts) AS histogram, max(revision) AS revision
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
      arrayMap(p -> histogram.1[arrayFirstIndex(c -> c > least(toInt64(total_n) - 1, toInt64(floor(p * total_n))), running)], [0.5, 0.95, 0.99]) AS at,
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

CREATE VIEW v_windows_all AS
SELECT stream, experiment, phase, variant, metric, window_start, window_end, n, estimated_n, sum, mean, sd, min, max, p50, p95, p99, status, revision
FROM windows_between(size_s = {size_s:UInt32}, slide_s = {slide_s:UInt32}, from_ms = -9000000000000000, to_ms = 9000000000000000)
WHERE dimension = ''
  AND NOT throwIf(slice_ms > 0 AND ({size_s:UInt32} * 1000 % greatest(slice_ms, 1) != 0 OR {slide_s:UInt32} * 1000 % greatest(slice_ms, 1) != 0),
    'size_s and slide_s must be multiples of the base slice of every stream (streams.slice_ms)');

CREATE VIEW v_windows AS
SELECT stream, experiment, phase, variant, metric, window_start, window_end, n, estimated_n, sum, mean, sd, min, max, p50, p95, p99, status, revision
FROM windows_between(size_s = {size_s:UInt32}, slide_s = {slide_s:UInt32}, from_ms = -9000000000000000, to_ms = 9000000000000000)
WHERE dimension = ''
  AND stream = (SELECT stream FROM default_stream)
  AND NOT (SELECT max(failed) FROM window_check(size_s = {size_s:UInt32}, slide_s = {slide_s:UInt32}));

CREATE VIEW v_windows_by_dimension_all AS
SELECT stream, experiment, phase, variant, metric, dimension, dimension_value, window_start, window_end, n, estimated_n, sum, mean, sd, min, max, p50, p95, p99, status, revision
FROM windows_between(size_s = {size_s:UInt32}, slide_s = {slide_s:UInt32}, from_ms = -9000000000000000, to_ms = 9000000000000000)
WHERE dimension != ''
  AND NOT throwIf(slice_ms > 0 AND ({size_s:UInt32} * 1000 % greatest(slice_ms, 1) != 0 OR {slide_s:UInt32} * 1000 % greatest(slice_ms, 1) != 0),
    'size_s and slide_s must be multiples of the base slice of every stream (streams.slice_ms)');

CREATE VIEW v_windows_by_dimension AS
SELECT stream, experiment, phase, variant, metric, dimension, dimension_value, window_start, window_end, n, estimated_n, sum, mean, sd, min, max, p50, p95, p99, status, revision
FROM windows_between(size_s = {size_s:UInt32}, slide_s = {slide_s:UInt32}, from_ms = -9000000000000000, to_ms = 9000000000000000)
WHERE dimension != ''
  AND stream = (SELECT stream FROM default_stream)
  AND NOT (SELECT max(failed) FROM window_check(size_s = {size_s:UInt32}, slide_s = {slide_s:UInt32}));
