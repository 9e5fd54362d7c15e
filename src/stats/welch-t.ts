import {type Arm, type Arms, type ArmSummary, readArms, trueMean} from './arms.ts';
import {hedgesCorrection} from './gamma-ratio.ts';
import {inferT, type InferenceOptions, type Interval} from './inference.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {alternative, confidenceLevel, readOptions} from './read-options.ts';
import {isNoise} from './scale.ts';

export interface WelchTResult {
  readonly nA: number;
  readonly nB: number;
  readonly meanA: number;
  readonly meanB: number;
  /** mean(a) − mean(b), in the unit of the data. */
  readonly meanDifference: number;
  readonly standardError: number;
  readonly statistic: number;
  readonly df: number;
  readonly pValue: number;
  readonly ci: Interval;
  /** On the pooled standard deviation. */
  readonly effectSize: {readonly cohensD: number; readonly hedgesG: number};
}

export const INFERENCE_OPTIONS = {alternative, confidenceLevel};

/**
 * Welch's t for two independent arms of unequal variance, from observations, from
 * {n, mean, variance} or from {n, sum, sumSquares}.
 * Errors: `non_finite`, `insufficient_data` (n < 2), `zero_variance`, `invalid_argument`.
 * Source: Welch (1947); agrees with R `t.test` and scipy `ttest_ind(equal_var=False)`.
 */
export function welchT(
  input: {readonly a: Arm; readonly b: Arm},
  options?: Partial<InferenceOptions>,
): Outcome<WelchTResult> {
  return attempt(() => {
    const chosen = readOptions<InferenceOptions>(options, INFERENCE_OPTIONS);
    return welchFromArms(readArms(input), chosen);
  });
}

/** The test on arms already summarised; refuses instead of returning a reason. */
export function welchFromArms(arms: Arms, options: InferenceOptions): WelchTResult {
  const {a, b, scale} = arms;
  const squareA = a.variance / a.n;
  const squareB = b.variance / b.n;
  const standardError = Math.sqrt(squareA + squareB);
  if (isNoise(standardError, a.mean + arms.offset, b.mean + arms.offset)) {
    refuse(
      'zero_variance',
      'a and b are constant: there is no spread to test against; compare the two values directly',
    );
  }
  const df = welchDf(a, b);
  const estimate = a.mean - b.mean;
  const inference = inferT({estimate, standardError, df}, options);
  return {
    nA: a.n,
    nB: b.n,
    meanA: trueMean(a, arms),
    meanB: trueMean(b, arms),
    meanDifference: estimate / scale,
    standardError: standardError / scale,
    df,
    ...inference,
    ci: [inference.ci[0] / scale, inference.ci[1] / scale],
    effectSize: pooledEffect(a, b),
  };
}

/** Welch–Satterthwaite degrees of freedom, as shares so that nothing overflows. */
export function welchDf(a: {n: number; variance: number}, b: {n: number; variance: number}): number {
  const squareA = a.variance / a.n;
  const share = squareA / (squareA + b.variance / b.n);
  return 1 / ((share * share) / (a.n - 1) + ((1 - share) * (1 - share)) / (b.n - 1));
}

function pooledEffect(a: ArmSummary, b: ArmSummary): {cohensD: number; hedgesG: number} {
  const df = a.n + b.n - 2;
  const pooled = Math.sqrt(((a.n - 1) * a.variance + (b.n - 1) * b.variance) / df);
  const cohensD = (a.mean - b.mean) / pooled;
  return {cohensD, hedgesG: cohensD * hedgesCorrection(df)};
}
