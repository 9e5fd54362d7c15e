import {type BivariateArm, type BivariateInput, readBivariateArms} from './bivariate-arms.ts';
import {inferT, type InferenceOptions, type Interval} from './inference.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {readOptions} from './read-options.ts';
import {isNoise} from './scale.ts';
import {squaredDeviations} from './moments.ts';
import {sum} from './sum.ts';
import {INFERENCE_OPTIONS, welchDf} from './welch-t.ts';

/** Outcome (`post`) and covariate from before the exposure (`pre`) of each unit, or their moments, or their sums. */
export type CupedArm = BivariateInput<'post', 'pre'>;

export interface CupedResult {
  readonly nA: number;
  readonly nB: number;
  /** Adjusted: (Ȳa − θX̄a) − (Ȳb − θX̄b). */
  readonly difference: number;
  readonly standardError: number;
  readonly statistic: number;
  readonly df: number;
  readonly pValue: number;
  readonly ci: Interval;
  readonly theta: number;
  /** 1 − SE²adjusted/SE²raw. */
  readonly varianceReduction: number;
}

/**
 * Welch's t on outcomes adjusted by a covariate from before the exposure.
 * A constant covariate changes nothing (θ = 0).
 * Errors: `length_mismatch`, `non_finite`, `insufficient_data` (n < 2), `zero_variance`, `invalid_argument`.
 * Source: Deng, Xu, Kohavi, Walker (WSDM 2013), one θ over both arms as in gbstats.
 */
export function cuped(
  input: {readonly a: CupedArm; readonly b: CupedArm},
  options?: Partial<InferenceOptions>,
): Outcome<CupedResult> {
  return attempt(() => {
    const chosen = readOptions<InferenceOptions>(options, INFERENCE_OPTIONS);
    const {a, b} = readBivariateArms(input, {y: 'post', x: 'pre'});
    const theta = pooledTheta(a, b);
    const adjustedA = {n: a.n, variance: adjustedVariance(a, theta)};
    const adjustedB = {n: b.n, variance: adjustedVariance(b, theta)};
    const square = adjustedA.variance / a.n + adjustedB.variance / b.n;
    const standardError = Math.sqrt(square);
    if (isNoise(standardError, a.meanY, b.meanY)) {
      refuse(
        'zero_variance',
        'post is constant or wholly predicted by pre: there is no spread left to test against; use the unadjusted values',
      );
    }
    const raw = a.varianceY / a.n + b.varianceY / b.n;
    const df = welchDf(adjustedA, adjustedB);
    const difference = deltaY(a, b) - theta * deltaX(a, b);
    return {
      nA: a.n,
      nB: b.n,
      difference,
      standardError,
      df,
      ...inferT({estimate: difference, standardError, df}, chosen),
      theta,
      varianceReduction: 1 - square / raw,
    };
  });
}

/** The means apart, with what each lost to rounding: a common offset of 1e9 costs no digits. */
const deltaY = (a: BivariateArm, b: BivariateArm): number => a.meanY - b.meanY + (a.meanYLow - b.meanYLow);
const deltaX = (a: BivariateArm, b: BivariateArm): number => a.meanX - b.meanX + (a.meanXLow - b.meanXLow);

/** cov(Y, X)/var(X) over both arms together, as one sample. */
function pooledTheta(a: BivariateArm, b: BivariateArm): number {
  const between = (a.n * b.n) / (a.n + b.n);
  const apart = deltaX(a, b);
  const covariance =
    (a.n - 1) * a.covariance + (b.n - 1) * b.covariance + between * apart * deltaY(a, b);
  const variance = (a.n - 1) * a.varianceX + (b.n - 1) * b.varianceX + between * apart * apart;
  const sd = Math.sqrt(variance / (a.n + b.n - 1));
  return isNoise(sd, a.meanX, b.meanX) ? 0 : covariance / variance;
}

function adjustedVariance(arm: BivariateArm, theta: number): number {
  if (theta !== 0 && arm.observed) {
    const {y, x} = arm.observed;
    const residuals = y.map((value, i) => value - arm.meanY - theta * ((x[i] as number) - arm.meanX));
    return squaredDeviations(residuals, sum(residuals) / arm.n) / (arm.n - 1);
  }
  return Math.max(0, arm.varianceY - 2 * theta * arm.covariance + theta * theta * arm.varianceX);
}
