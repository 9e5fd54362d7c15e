import type {EpochMs} from '../core/units.ts';
import type {ReadStore} from '../warehouse/warehouse.ts';
import type {Finding} from './evaluate.ts';
import {type GuardQuestion, ruleOf} from './guard-findings.ts';

// The engine's test throws on an empty sample, so one never reaches it.
const DISTANCE = `
SELECT countIf(is_window) AS n, countIf(NOT is_window) AS earlier,
  if(any(is_comparable), tupleElement(kolmogorovSmirnovTestOrDefaultIf('two-sided', 'asymptotic')(value, toUInt8(is_window), is_comparable), 1), NULL) AS distance
FROM (
  SELECT value, is_window, countIf(is_window) OVER () > 1 AND countIf(NOT is_window) OVER () > 1 AS is_comparable
  FROM (
    SELECT measures[{measure:String}] AS value, variant = {variant:String} AND phase = {phase:UInt32} AND event_ts >= fromUnixTimestamp64Milli({middle:Int64}) AS is_window
    FROM v_outcomes
    WHERE experiment = {experiment:String} AND mapContains(measures, {measure:String}) AND event_ts < fromUnixTimestamp64Milli({end:Int64})
      AND (is_window OR (variant = {base:String} AND event_ts >= fromUnixTimestamp64Milli({begin:Int64}) AND event_ts < fromUnixTimestamp64Milli({until:Int64})))
  )
)`;

const DRIFT_SECONDS_MAX = 5;
/** P(D beyond √(ln(2/α)/2)·√(1/n + 1/m)) ≤ α without drift; looked at for months. */
const NOISE_ALPHA = 1e-6;

/**
 * The KS distance of a measure in the variant's window of the present phase from its
 * reference: control in the same window, or the variant itself in the time before it.
 * Beyond the bound counts only what samples of these sizes do not show by chance.
 */
export async function driftFinding(warehouse: Pick<ReadStore, 'query'>, question: GuardQuestion, {stream, phase}: {readonly stream: string; readonly phase: number}): Promise<Finding> {
  const {guard, variant, at, view} = question;
  const {windowMs, referenceMs = null, above, minN} = guard;
  const middle = at - windowMs;
  const span = referenceMs === null ? {base: view.definition.control, begin: middle, until: at} : {base: variant, begin: middle - referenceMs, until: middle};
  const parameters = {measure: guard.metric, experiment: view.experiment, variant, phase, middle, end: at, ...span};
  const [row] = await warehouse.query(DISTANCE, {stream, parameters, secondsMax: DRIFT_SECONDS_MAX});
  const [inside, reference] = [Number(row?.['n'] ?? 0), Number(row?.['earlier'] ?? 0)];
  const distance = row?.['distance'] === null || row?.['distance'] === undefined ? null : Number(row['distance']);
  return {...judged({distance, inside, reference, above: above ?? 0, minN}), rule: ruleOf(question), experiment: view.experiment, variant, windowStart: middle as EpochMs, windowEnd: at, at};
}

type Sample = {readonly distance: number | null; readonly inside: number; readonly reference: number; readonly above: number; readonly minN: number};

/** Pure. */
export function judged({distance, inside, reference, above, minN}: Sample): Pick<Finding, 'state' | 'value' | 'threshold' | 'n' | 'reason'> {
  const n = Math.min(inside, reference);
  const about = {value: distance, threshold: above, n};
  if (distance === null || !Number.isFinite(distance) || n < minN) return {...about, state: 'inconclusive', reason: `${inside} values and ${reference} of the reference; ${minN} each are needed`};
  const noise = Math.sqrt(Math.log(2 / NOISE_ALPHA) / 2) * Math.sqrt(1 / inside + 1 / reference);
  const text = `KS distance ${distance.toFixed(3)} from the reference; tolerated ${above}, noise ${noise.toFixed(3)}`;
  if (distance <= above) return {...about, state: 'ok', reason: text};
  return {...about, state: distance > noise ? 'breach' : 'inconclusive', reason: text};
}
