import {type EpochMs, epochMs} from '../core/units.ts';
import type {ReadStore} from '../warehouse/warehouse.ts';
import type {Finding} from './evaluate.ts';
import {type GuardQuestion, ruleOf} from './guard-findings.ts';

// Values of the window and of its reference, for each end.
const VALUES = `
SELECT at_ms, value, weight, is_treated AND ms >= at_ms - {window_ms:Int64} AND ms < at_ms AS is_window
FROM (
  SELECT arrayJoin({ends:Array(Int64)}) AS at_ms, measures[{measure:String}] AS value, toUnixTimestamp64Milli(event_ts) AS ms,
    1 / greatest(sample_rate, 0.000001) AS weight,
    variant = {variant:String} AND phase = {phase:UInt32} AS is_treated, variant = {base:String} AS is_base
  FROM v_outcomes
  WHERE experiment = {experiment:String} AND mapContains(measures, {measure:String}) AND variant IN ({variant:String}, {base:String})
    AND event_ts >= fromUnixTimestamp64Milli({from_ms:Int64}) AND event_ts < fromUnixTimestamp64Milli({to_ms:Int64})
)
WHERE is_window OR (is_base AND ms >= at_ms - {begin_ms:Int64} AND ms < at_ms - {until_ms:Int64})`;

// One row for each end. The engine's test throws on an empty sample, so one never reaches it.
const DISTANCE = `
SELECT at_ms, countIf(is_window) AS n, countIf(NOT is_window) AS earlier, min(weight) != max(weight) AS is_weighted,
  if(any(is_comparable), tupleElement(kolmogorovSmirnovTestOrDefaultIf('two-sided', 'asymptotic')(value, toUInt8(is_window), is_comparable), 1), NULL) AS distance
FROM (
  SELECT at_ms, value, weight, is_window, countIf(is_window) OVER (PARTITION BY at_ms) > 1 AND countIf(NOT is_window) OVER (PARTITION BY at_ms) > 1 AS is_comparable
  FROM (${VALUES})
)
GROUP BY at_ms`;

// Between the distributions of what the outcomes stand for; samples of so many equal ones would be as noisy (Kish).
const WEIGHTED_DISTANCE = `
SELECT at_ms, max(abs(inside / all_inside - outside / all_outside)) AS distance, any(inside_as) AS effective, any(outside_as) AS effective_earlier
FROM (
  SELECT at_ms,
    sumIf(weight, is_window) OVER reached AS inside, sumIf(weight, NOT is_window) OVER reached AS outside,
    sumIf(weight, is_window) OVER whole AS all_inside, sumIf(weight, NOT is_window) OVER whole AS all_outside,
    all_inside * all_inside / sumIf(weight * weight, is_window) OVER whole AS inside_as,
    all_outside * all_outside / sumIf(weight * weight, NOT is_window) OVER whole AS outside_as
  FROM (${VALUES})
  WINDOW reached AS (PARTITION BY at_ms ORDER BY value RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), whole AS (PARTITION BY at_ms)
)
GROUP BY at_ms`;

const DRIFT_SECONDS_MAX = 5;
/** P(D beyond √(ln(2/α)/2)·√(1/n + 1/m)) ≤ α without drift; looked at for months. */
const NOISE_ALPHA = 1e-6;

/**
 * The KS distance of a measure in the variant's window of the present phase from its
 * reference: control in the same window, or the variant itself in the time before it.
 * Beyond the bound counts only what samples of these sizes do not show by chance.
 */
export async function driftFinding(warehouse: Pick<ReadStore, 'query'>, question: GuardQuestion, {stream, phase}: {readonly stream: string; readonly phase: number}): Promise<Finding> {
  const [finding] = await driftFindings(warehouse, question, {stream, phase, ends: [question.at], secondsMax: DRIFT_SECONDS_MAX});
  if (finding === undefined) throw new TypeError('no finding for the one end that was asked for');
  return finding;
}

export type DriftAsk = {readonly stream: string; readonly phase: number; readonly ends: readonly EpochMs[]; readonly secondsMax: number};

/** The same at several ends by one query; one finding for each. */
export async function driftFindings(warehouse: Pick<ReadStore, 'query'>, question: Omit<GuardQuestion, 'at'>, {stream, phase, ends, secondsMax}: DriftAsk): Promise<Finding[]> {
  const {guard, variant, view} = question;
  const {windowMs, referenceMs = null, above, minN} = guard;
  const reference = referenceMs === null ? {base: view.definition.control, begin_ms: windowMs, until_ms: 0} : {base: variant, begin_ms: windowMs + referenceMs, until_ms: windowMs};
  const span = {from_ms: Math.min(...ends) - reference.begin_ms, to_ms: Math.max(...ends)};
  const parameters = {measure: guard.metric, experiment: view.experiment, variant, phase, window_ms: windowMs, ends, ...reference, ...span};
  const rows = await warehouse.query(DISTANCE, {stream, parameters, secondsMax});
  const weighted = rows.some(row => Number(row['is_weighted']) === 1) ? await warehouse.query(WEIGHTED_DISTANCE, {stream, parameters, secondsMax}) : [];
  return ends.map(at => {
    const isHere = ({at_ms: end}: Record<string, unknown>): boolean => Number(end) === at;
    const row = rows.find(isHere);
    const weighed = Number(row?.['is_weighted']) === 1 ? weighted.find(isHere) : undefined;
    const [inside, earlier] = [Number(row?.['n'] ?? 0), Number(row?.['earlier'] ?? 0)];
    const distance = row?.['distance'] === null || row?.['distance'] === undefined ? null : Number((weighed ?? row)['distance']);
    const effective = weighed === undefined ? {} : {effective: [Number(weighed['effective']), Number(weighed['effective_earlier'])] as const};
    const found = judged({distance, inside, reference: earlier, above: above ?? 0, minN, ...effective});
    return {...found, rule: ruleOf({...question, at}), experiment: view.experiment, variant, windowStart: epochMs(at - windowMs), windowEnd: at, at};
  });
}

type Sample = {readonly distance: number | null; readonly inside: number; readonly reference: number; readonly above: number; readonly minN: number; /** Equal outcomes that would be as noisy as the weighted ones. */ readonly effective?: readonly [inside: number, reference: number]};

/** Pure. */
export function judged({distance, inside, reference, above, minN, effective = [inside, reference]}: Sample): Pick<Finding, 'state' | 'value' | 'threshold' | 'n' | 'reason'> {
  const n = Math.min(inside, reference);
  const about = {value: distance, threshold: above, n};
  if (distance === null || !Number.isFinite(distance) || n < minN) return {...about, state: 'inconclusive', reason: `${inside} values and ${reference} of the reference; ${minN} each are needed`};
  const noise = Math.sqrt(Math.log(2 / NOISE_ALPHA) / 2) * Math.sqrt(1 / effective[0] + 1 / effective[1]);
  const text = `KS distance ${distance.toFixed(3)} from the reference; tolerated ${above}, noise ${noise.toFixed(3)}`;
  if (distance <= above) return {...about, state: 'ok', reason: text};
  return {...about, state: distance > noise ? 'breach' : 'inconclusive', reason: text};
}
