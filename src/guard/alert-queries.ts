import type {EpochMs} from '../core/units.ts';
import type {AlertRow, ReadStore} from '../warehouse/warehouse.ts';
import type {DriftReading} from './evaluate.ts';
import type {Rule} from './rules.ts';

/*
 * What alerts read by SQL over the analysts' views: it need not be exact to the last bit,
 * and it runs under their limits, so it can hold up nothing else.
 */

type Reader = Pick<ReadStore, 'query'>;

const VALUES = `
SELECT variant, measures[{measure:String}] AS value, 1 / greatest(sample_rate, 0.000001) AS weight, event_ts >= fromUnixTimestamp64Milli({middle:Int64}) AS is_window
FROM v_outcomes
WHERE experiment = {experiment:String} AND mapContains(measures, {measure:String})
  AND event_ts >= fromUnixTimestamp64Milli({begin:Int64}) AND event_ts < fromUnixTimestamp64Milli({end:Int64})`;

// The engine's test throws on an empty sample, so variants that have only one of the two never reach it.
const DRIFT = `
SELECT variant, countIf(is_window) AS n, countIf(NOT is_window) AS earlier, min(weight) != max(weight) AS is_weighted,
  if(any(is_comparable), tupleElement(kolmogorovSmirnovTestOrDefaultIf('two-sided', 'asymptotic')(value, toUInt8(is_window), is_comparable), 1), NULL) AS distance
FROM (
  SELECT variant, value, weight, is_window,
    countIf(is_window) OVER (PARTITION BY variant) > 1 AND countIf(NOT is_window) OVER (PARTITION BY variant) > 1 AS is_comparable
  FROM (${VALUES})
)
GROUP BY variant ORDER BY variant`;

// Between the distributions of what the outcomes stand for.
const WEIGHTED_DRIFT = `
SELECT variant, max(abs(inside / all_inside - outside / all_outside)) AS distance
FROM (
  SELECT variant,
    sumIf(weight, is_window) OVER reached AS inside, sumIf(weight, NOT is_window) OVER reached AS outside,
    sumIf(weight, is_window) OVER whole AS all_inside, sumIf(weight, NOT is_window) OVER whole AS all_outside
  FROM (${VALUES})
  WINDOW reached AS (PARTITION BY variant ORDER BY value RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), whole AS (PARTITION BY variant)
)
GROUP BY variant`;

/** Several rules look at several experiments in one round of seconds. */
const DRIFT_SECONDS_MAX = 5;

export type DriftPlace = {readonly stream: string; readonly experiment: string; readonly at: EpochMs};

/** The KS distance of the window's values from those of the reference just before it, per variant. */
export async function readDrift(warehouse: Reader, {metric: measure, windowMs, referenceMs = 0}: Rule, {stream, experiment, at}: DriftPlace): Promise<DriftReading[]> {
  const middle = at - windowMs;
  const options = {stream, parameters: {measure, experiment, begin: middle - referenceMs, middle, end: at}, secondsMax: DRIFT_SECONDS_MAX};
  const rows = await warehouse.query(DRIFT, options);
  const weighted = rows.some(row => Number(row['is_weighted']) === 1) ? await warehouse.query(WEIGHTED_DRIFT, options) : [];
  return rows.map(row => {
    const weighed = Number(row['is_weighted']) === 1 ? weighted.find(({variant}) => variant === row['variant']) : undefined;
    const distance = row['distance'] === null ? null : Number((weighed ?? row)['distance']);
    return {
      experiment, measure, windowMs, at,
      variant: String(row['variant']),
      n: Math.min(Number(row['n']), Number(row['earlier'])),
      distance: distance === null || Number.isNaN(distance) ? null : distance,
    };
  });
}

const SCOPE = `experiment = {experiment:String} AND ({variant:String} = '' OR variant = {variant:String})
    AND event_ts >= fromUnixTimestamp64Milli({begin:Int64}) AND event_ts < fromUnixTimestamp64Milli({end:Int64})`;

const TOP_DIMENSIONS = `
SELECT name, value, count() AS outcomes
FROM v_outcomes ARRAY JOIN mapKeys(attributes) AS name, mapValues(attributes) AS value
WHERE ${SCOPE}
GROUP BY name, value ORDER BY outcomes DESC, name, value LIMIT 8`;

const TRACES = `
SELECT DISTINCT trace_id
FROM outcomes
WHERE stream = {stream:String} AND trace_id != ''
  AND event_ts >= fromUnixTimestamp64Milli({begin:Int64}) AND event_ts < fromUnixTimestamp64Milli({end:Int64})
  AND unit_id IN (SELECT unit_id FROM v_outcomes WHERE ${SCOPE})
ORDER BY trace_id LIMIT 5`;

/** What was in the alert's window: its most frequent attributes and traces to open. */
export async function readSnapshot(warehouse: Reader, row: AlertRow): Promise<Readonly<Record<string, unknown>>> {
  const {stream, experiment, variant, window_start: begin, window_end: end} = row;
  if (begin === null || end === null) return {};
  const options = {stream, parameters: {stream, experiment, variant, begin: Date.parse(begin), end: Date.parse(end)}};
  const [dimensions, traces] = [await warehouse.query(TOP_DIMENSIONS, options), await warehouse.query(TRACES, options)];
  return {top_dimensions: dimensions, trace_ids: traces.map(trace => trace['trace_id'])};
}
