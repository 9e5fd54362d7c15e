import type {AnalysisSettings, Metric} from '../core/experiment.ts';
import type {Calibration} from '../core/verdict.ts';
import {binomial} from '../stats/binomial.ts';
import {wilsonInterval} from '../stats/wilson-interval.ts';
import type {ArmTotals, RelabelledArm} from '../warehouse/warehouse.ts';
import {quantileOf} from './inputs.ts';
import {type UnpairedInputs, unpairedTest} from './unpaired-tests.ts';

/** Cuts of the control arm: with them a rate of 5 % is known to about ±3 %. */
export const RELABELLINGS = 200;
/** Units of an arm that are relabelled; of more a share is taken. */
export const RELABELLED_UNITS_MAX = 4_000;
/** How long one calibration stands beside the verdicts of a phase. */
export const CALIBRATION_LASTS_MS = 3_600_000;

/** Below it the tests' own approximations are not expected to hold. */
const HALF_UNITS_MIN = 20;
/** A correct test shows as many false positives less often than this. */
const UNHEALTHY_BELOW = 0.001;
const Z_95 = 1.959963984540054;

export type CalibrateInputs = {
  readonly metric: Metric;
  /** Halves of the control arm. */
  readonly relabelled: readonly RelabelledArm[];
  readonly alpha: AnalysisSettings['alpha'];
  readonly cut: number;
  /** The test under examination: the one that the metric's verdict rests on. */
  readonly test?: (inputs: UnpairedInputs) => {readonly evidence: {readonly p_value?: number}};
};

/**
 * The metric's own test on halves of the control arm that differ by chance alone: how often it says there is a
 * difference. A rate above alpha beyond chance is a fault in the data or the test (units that depend on one another,
 * a wrong variance), whatever the experiment shows. The relabellings share their units, so the interval is a little narrow.
 */
export function calibrate({metric, relabelled, alpha, cut, test = unpairedTest}: CalibrateInputs): Calibration {
  const known = {alpha, relabellings: RELABELLINGS, cut_ms: cut};
  const none = (reason: string): Calibration => ({...known, status: 'not-computable', reason, computed: 0, rejected: 0, rate: null, low: null, high: null});
  if (quantileOf(metric) !== null) return none('quantiles are not sums over units');
  if (metric.winsorise !== undefined) return none('winsorised means are not sums over units');
  const halves = pairsOf(relabelled.filter(half => half.metric === metric.key));
  if (halves.some(({control, variant}) => Math.min(control.units, variant.units) < HALF_UNITS_MIN)) return none(`fewer than ${HALF_UNITS_MIN} units in a half of control`);
  const pValues = halves.flatMap(totals => test({metric, totals, outcomeGroups: NO_GROUPS, alpha}).evidence.p_value ?? []);
  if (pValues.length === 0) return none('the test could not be computed on any half of control');
  const computed = pValues.length;
  const rejected = pValues.filter(p => p < alpha).length;
  const [low, high] = wilsonInterval(rejected, computed, Z_95);
  const isUnhealthy = binomial(computed, alpha).upper(rejected) < UNHEALTHY_BELOW;
  return {...known, status: isUnhealthy ? 'unhealthy' : 'healthy', computed, rejected, rate: rejected / computed, low, high};
}

const NO_GROUPS = {status: 'not-computable', reason: 'halves have no list of values'} as const;

function pairsOf(halves: readonly RelabelledArm[]): {control: ArmTotals; variant: ArmTotals}[] {
  const first = new Map(halves.filter(({half}) => half === 0).map(({relabelling, totals}) => [relabelling, totals]));
  return halves
    .filter(({half}) => half === 1)
    .flatMap(({relabelling, totals}) => {
      const control = first.get(relabelling);
      return control === undefined ? [] : [{control, variant: totals}];
    });
}
