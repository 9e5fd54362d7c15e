import {type BivariateArm, type BivariateInput, readBivariateArms} from './bivariate-arms.ts';
import {inferT, type InferenceOptions, type Interval} from './inference.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {readOptions} from './read-options.ts';
import {isNoise} from './scale.ts';
import {squaredDeviations} from './moments.ts';
import {INFERENCE_OPTIONS, welchDf} from './welch-t.ts';

/** Numerator and denominator of each unit, or their moments, or their sums. */
export type RatioArm = BivariateInput<'numerator', 'denominator'>;

export interface RatioMetricResult {
  readonly nA: number;
  readonly nB: number;
  /** Σ numerator / Σ denominator. */
  readonly ratioA: number;
  readonly ratioB: number;
  readonly difference: number;
  readonly standardError: number;
  readonly statistic: number;
  readonly df: number;
  readonly pValue: number;
  readonly ci: Interval;
}

/**
 * Difference of two ratios of sums, e.g. cost per request when users are
 * randomised. Units with denominator 0 stay in.
 * Errors: `length_mismatch`, `non_finite`, `insufficient_data` (n < 2), `zero_denominator`, `zero_variance`, `invalid_argument`.
 * Source: delta method, Deng et al. (KDD 2018); agrees with gbstats RatioStatistic.
 */
export function ratioMetric(
  input: {readonly a: RatioArm; readonly b: RatioArm},
  options?: Partial<InferenceOptions>,
): Outcome<RatioMetricResult> {
  return attempt(() => {
    const chosen = readOptions<InferenceOptions>(options, INFERENCE_OPTIONS);
    const {a, b} = readBivariateArms(input, {y: 'numerator', x: 'denominator'});
    const ratioA = ratioOf(a, 'a');
    const ratioB = ratioOf(b, 'b');
    const unitA = {n: a.n, variance: deltaVariance(a, ratioA)};
    const unitB = {n: b.n, variance: deltaVariance(b, ratioB)};
    const standardError = Math.sqrt(unitA.variance / unitA.n + unitB.variance / unitB.n);
    if (isNoise(standardError, ratioA, ratioB)) {
      refuse(
        'zero_variance',
        'every unit of a and b has the same ratio: there is no spread to test against; compare the two ratios directly',
      );
    }
    const df = welchDf(unitA, unitB);
    const difference = ratioA - ratioB;
    return {
      nA: a.n,
      nB: b.n,
      ratioA,
      ratioB,
      difference,
      standardError,
      df,
      ...inferT({estimate: difference, standardError, df}, chosen),
    };
  });
}

function ratioOf(arm: BivariateArm, field: string): number {
  if (arm.meanX === 0)
    refuse(
      'zero_denominator',
      `${field}.denominator sums to 0: a ratio needs some denominator; collect more or drop the metric`,
    );
  return arm.meanY / arm.meanX;
}

/** Variance per unit of the linearised ratio (Y − R·X)/mean(X). */
function deltaVariance(arm: BivariateArm, ratio: number): number {
  if (arm.observed) {
    const {y, x} = arm.observed;
    return (
      squaredDeviations(
        y.map((value, i) => (value - ratio * (x[i] as number)) / arm.meanX),
        0,
      ) /
      (arm.n - 1)
    );
  }
  const {varianceY, varianceX, covariance, meanX} = arm;
  return Math.max(0, varianceY - 2 * ratio * covariance + ratio * ratio * varianceX) / (meanX * meanX);
}
