-- Slices recomputed from facts (DESIGN C2, C3, C5): the rows of `slices`, n > 0 only.
--
--   outcomes ─ FINAL ─ cut ─┐
--                           ├─ locate: phase and variant ─ one row per metric ─ by bucket ─ by key
--   exposures ─ FINAL ─ cut ┘
--
-- Each slice has its own cut, its end + L, unless cut_ms > 0 gives one for all. So that many
-- slices close in one pass, an exposure carries `seen_from`, the first slice whose cut lets it
-- be seen (slices are numbered by their end: end = number * slice_ms). A copy's arrival is
-- compared with the cut after FINAL chose the earliest copy. Branches that a request does not need
-- are left out of its text (`recomputeSql`).
WITH
  -- About experiments, by number from 1.
  {experiments:Array(String)} AS experiments,
  {variants_of:Array(Array(String))} AS variants_of,
  {phases_of:Array(Array(UInt32))} AS phases_of,
  {starts_of:Array(Array(Int64))} AS starts_of,
  {ends_of:Array(Array(Int64))} AS ends_of,
  {entries_of:Array(Array(UInt32))} AS entries_of,
  -- About entries, each a metric under one dimension.
  {kinds:Array(UInt8)} AS kinds,
  {values_at:Array(UInt32)} AS values_at,
  {denominators_at:Array(UInt32)} AS denominators_at,
  {status_masks:Array(UInt8)} AS status_masks,
  {multipliers:Array(Float64)} AS multipliers,
  {attributions:Array(Int64)} AS attributions,
  {dimensions:Array(String)} AS dimensions,
  (SELECT edges FROM histogram_edges) AS edges,
  1152921504606846976. AS two_to_60,
  -- if forgotten
  forgotten AS (
    SELECT unit_id, max(toUnixTimestamp64Milli(arrival_ts)) AS forgotten_ms
    FROM tombstones
    WHERE stream = {stream:String}
    GROUP BY unit_id
  ),
  -- end forgotten
  facts AS (
    SELECT unit_id, toUnixTimestamp64Milli(event_ts) AS event_ms, intDiv(event_ms, {slice_ms:Int64}) + 1 AS slice,
      variant_hint, measures, status, attributes,
      -- What the outcome stands for beyond itself, in millionths (core/sampling.ts).
      toInt64(floor(1000000. / greatest(sample_rate, 0.000001) + 0.5)) - 1000000 AS extra
    FROM outcomes FINAL
    -- if forgotten
    LEFT JOIN forgotten USING (unit_id)
    -- end forgotten
    WHERE stream = {stream:String}
      AND intDiv(reinterpretAsUInt64(reverse(substring(event_id, 1, 6))), 3600000)
        BETWEEN intDiv({from_ms:Int64} - 86400000, 3600000) AND intDiv({through_ms:Int64} + 86400000, 3600000)
      AND event_ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
      AND event_ts < fromUnixTimestamp64Milli({through_ms:Int64}, 'UTC')
      AND toUnixTimestamp64Milli(arrival_ts) <= if({cut_ms:Int64} > 0, {cut_ms:Int64}, slice * {slice_ms:Int64} + {lateness_ms:Int64})
      -- if forgotten
      AND toUnixTimestamp64Milli(arrival_ts) > forgotten_ms
      -- end forgotten
      AND (empty({slices:Array(Int64)}) OR slice * {slice_ms:Int64} - {slice_ms:Int64} IN (SELECT arrayJoin({slices:Array(Int64)})))
  ),
  sightings AS (
    SELECT transform(toString(experiment), experiments, arrayEnumerate(experiments), toUInt32(0)) AS x, unit_id, length(all_seen) = 1 AS is_single,
      all_seen[1].1 AS single_from, all_seen[1].2 AS single_phase, all_seen[1].3.1 AS single_ms, all_seen[1].4 AS single_variant,
      if(is_single, arrayResize(all_seen, 0), all_seen) AS seen
    FROM (
      SELECT experiment, unit_id, groupArray((seen_from, phase, first, variant)) AS all_seen
      FROM (
        SELECT experiment, unit_id, phase, toString(variant) AS variant,
          if({cut_ms:Int64} > 0, 0, greatest(
            intDiv({from_ms:Int64}, {slice_ms:Int64}) + 1,
            intDiv(toUnixTimestamp64Milli(arrival_ts) - {lateness_ms:Int64} + {slice_ms:Int64} - 1, {slice_ms:Int64}))) AS seen_from,
          min((toUnixTimestamp64Milli(event_ts), event_id)) AS first
        FROM exposures FINAL
        -- if forgotten
        LEFT JOIN forgotten USING (unit_id)
        -- end forgotten
        WHERE stream = {stream:String}
          AND reason = 'assigned'
          AND has({split:Array(String)}, experiment)
          AND toUnixTimestamp64Milli(arrival_ts) <= if({cut_ms:Int64} > 0, {cut_ms:Int64}, {through_ms:Int64} + {lateness_ms:Int64})
          -- if forgotten
          AND toUnixTimestamp64Milli(arrival_ts) > forgotten_ms
          -- end forgotten
          -- Without FINAL: a superset of the units, much cheaper than reading `facts` twice.
          AND unit_id IN (
            SELECT unit_id
            FROM outcomes
            WHERE stream = {stream:String}
              AND event_ts >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
              AND event_ts < fromUnixTimestamp64Milli({through_ms:Int64}, 'UTC')
          )
        GROUP BY experiment, unit_id, phase, variant, seen_from
      )
      GROUP BY experiment, unit_id
    )
  ),
  -- Almost every unit has one sighting per experiment; it has columns of its own, because an outcome gets a copy of
  -- them, and the arrays are empty but for the others.
  located AS (
    SELECT x, slice, event_ms, measures, status, attributes, extra,
      is_single AND single_from <= slice AND single_ms <= event_ms AS is_plain,
      arrayFilter(e -> e.1 <= slice, seen) AS visible,
      if(is_plain, single_phase, arrayMax(arrayMap(e -> if(e.3.1 <= event_ms, e.2, 0), visible))) AS phase,
      arrayFilter(e -> e.2 = phase, visible) AS inside,
      if(is_plain, single_variant, arraySort(e -> e.3, inside)[1].4) AS variant
    FROM facts
    INNER JOIN sightings USING (unit_id)
    WHERE phase > 0 AND (is_plain OR length(arrayDistinct(arrayMap(e -> e.4, inside))) = 1)
    -- if paired
    UNION ALL
    SELECT transform(toString(hinted), experiments, arrayEnumerate(experiments), toUInt32(0)) AS x, slice, event_ms, measures, status, attributes, extra,
      false, [], phases_of[x][arrayLastIndex(start -> start <= event_ms, starts_of[x])] AS phase, [],
      toString(hinted_variant) AS variant
    FROM facts
    ARRAY JOIN mapKeys(variant_hint) AS hinted, mapValues(variant_hint) AS hinted_variant, arrayEnumerateUniq(mapKeys(variant_hint)) AS repeated
    WHERE repeated = 1 AND has({paired:Array(String)}, hinted) AND phase > 0 AND has(variants_of[x], variant)
    -- end paired
  ),
  -- One row per outcome, experiment, metric and dimension. kind 0: a measure, 1: share, 2: ratio.
  -- Measures are finite, so nan stands for an absent one; + 0. makes -0 zero.
  contributions AS (
    SELECT entry, slice, phase, variant, extra,
      if(NOT {has_dimensions:UInt8} OR dimensions[entry] = '', '', toString(mapValues(attributes)[indexOf(mapKeys(attributes), dimensions[entry])])) AS dimension_value,
      values[values_at[entry]] AS a,
      values[denominators_at[entry]] AS b,
      multiIf(kinds[entry] = 1, toFloat64(bitTest(status_masks[entry], status_code)), isNaN(a), 0., a) + 0. AS value,
      if({has_ratios:UInt8} AND kinds[entry] = 2 AND NOT isNaN(b), b, 0.) AS denominator,
      -- toInt256 of a double is inexact beyond 2^64: whole and rest of 2^60 are converted apart.
      roundBankers(value * multipliers[entry]) AS value_rounded,
      trunc(value_rounded / two_to_60) AS value_high,
      toInt128(toInt64(value_high)) * 1152921504606846976 + toInt64(value_rounded - value_high * two_to_60) AS q,
      roundBankers(denominator * multipliers[entry]) AS denominator_rounded,
      trunc(denominator_rounded / two_to_60) AS denominator_high,
      if({has_ratios:UInt8}, toInt128(toInt64(denominator_high)) * 1152921504606846976 + toInt64(denominator_rounded - denominator_high * two_to_60), toInt128(0)) AS denominator_q,
      -- roundDown finds the edge; its logarithm is then far from any rounding doubt.
      if(abs(value) < edges[1], 0, if(value < 0, -1, 1) * toInt16(round(log(roundDown(abs(value), edges)) / log(1.02)) + 1048)) AS bucket
    FROM (
      SELECT slice, event_ms, phase, variant, attributes, extra,
        toUInt8(transform(status, ['ok', 'client_error', 'server_error', 'timeout'], [0, 1, 2, 3], 7)) AS status_code,
        arrayMap(name -> multiIf(
          has(mapKeys(measures), name), mapValues(measures)[indexOf(mapKeys(measures), name)],
          name = 'success', toFloat64(status = 'ok'),
          name = 'outcomes', 1.,
          nan), {measure_names:Array(String)}) AS values,
        if({has_ends:UInt8}, ends_of[x][indexOf(phases_of[x], phase)], 0) AS end_ms,
        entries_of[x] AS entries
      FROM located
    )
    ARRAY JOIN entries AS entry
    WHERE (NOT {has_dimensions:UInt8} OR dimensions[entry] = '' OR has(mapKeys(attributes), dimensions[entry]))
      AND (end_ms = 0 OR event_ms < end_ms + attributions[entry])
      AND (kinds[entry] = 1 OR NOT isNaN(a) OR ({has_ratios:UInt8} AND kinds[entry] = 2 AND NOT isNaN(b)))
  ),
  buckets AS (
    SELECT entry, slice, phase, variant, dimension_value, bucket, extra,
      if(extra = 0, CAST([], 'Array(Int16)'), [toInt16(bucket)]) AS sampled_bucket,
      count() AS bucket_n, sum(q) AS bucket_q, sum(toInt256(q) * q) AS bucket_squares_q,
      sum(denominator_q) AS bucket_denominator_q, min(value) AS bucket_min, max(value) AS bucket_max
    FROM contributions
    GROUP BY entry, slice, phase, variant, dimension_value, bucket, extra
  ),
  keys AS (
    SELECT entry, slice, phase, variant, dimension_value,
      sum(bucket_n) AS n, sum(toInt256(bucket_q)) AS sum_q, sum(bucket_squares_q) AS sum_squares_q,
      sum(toInt256(bucket_denominator_q)) AS denominator_sum_q, min(bucket_min) AS min, max(bucket_max) AS max,
      sum(toInt128(extra) * bucket_n) AS extra_weight, sum(toInt256(bucket_q) * extra) AS extra_sum_q,
      sum(toInt256(bucket_denominator_q) * extra) AS extra_denominator_sum_q,
      sumMap([toInt16(bucket)], [bucket_n]) AS counts,
      sumMap(sampled_bucket, arrayMap(b -> toInt128(extra) * bucket_n, sampled_bucket)) AS extra_weights,
      sumMap(sampled_bucket, arrayMap(b -> ((toInt128(extra) + 1000000) * (toInt128(extra) + 1000000) - 1000000000000) * bucket_n, sampled_bucket)) AS extra_square_sums
    FROM buckets
    GROUP BY entry, slice, phase, variant, dimension_value
  )
SELECT
  {stream:String} AS stream,
  experiments[{experiment_of:Array(UInt32)}[entry] AS experiment_number] AS experiment,
  fromUnixTimestamp64Milli(slice * {slice_ms:Int64} - {slice_ms:Int64}, 'UTC') AS slice_start,
  fromUnixTimestamp64Milli(slice * {slice_ms:Int64}, 'UTC') AS slice_end,
  toUInt32(phase) AS phase,
  variant,
  {metric_of:Array(String)}[entry] AS metric,
  dimensions[entry] AS dimension,
  dimension_value,
  fromUnixTimestamp64Milli(if({cut_ms:Int64} > 0, {cut_ms:Int64}, slice * {slice_ms:Int64} + {lateness_ms:Int64}), 'UTC') AS cut_ts,
  {cut_ms:Int64} > 0 AS is_revision,
  n,
  {scales:Array(UInt8)}[entry] AS scale,
  sum_q,
  sum_squares_q,
  denominator_sum_q,
  min,
  max,
  mapFromArrays(counts.1, counts.2) AS histogram,
  {config_versions:Array(UInt32)}[experiment_number] AS config_version,
  extra_weight,
  extra_sum_q,
  extra_denominator_sum_q,
  mapFromArrays(extra_weights.1, extra_weights.2) AS extra_buckets,
  mapFromArrays(extra_square_sums.1, extra_square_sums.2) AS extra_squares
FROM keys
