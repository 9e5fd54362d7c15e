import {type Arm, readArms, trueMean} from './arms.ts';
import {inferT, type InferenceOptions, type Interval} from './inference.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {readOptions} from './read-options.ts';
import {isNoise} from './scale.ts';
import {INFERENCE_OPTIONS, welchDf} from './welch-t.ts';

export interface RelativeLiftResult {
  readonly nA: number;
  readonly nB: number;
  /** (mean(a) − mean(b)) / |mean(b)|: 0.03 is 3 % more. */
  readonly lift: number;
  readonly standardError: number;
  readonly df: number;
  readonly statistic: number;
  readonly pValue: number;
  readonly ci: Interval;
}

/**
 * Relative difference of two means with its delta-method error; b is the control.
 * Errors: `non_finite`, `insufficient_data` (n < 2), `zero_denominator` (mean of b is 0), `zero_variance`, `invalid_argument`.
 * Source: delta method with Welch's df of the absolute difference, as in gbstats.
 */
export function relativeLift(
  input: {readonly a: Arm; readonly b: Arm},
  options?: Partial<InferenceOptions>,
): Outcome<RelativeLiftResult> {
  return attempt(() => {
    const chosen = readOptions<InferenceOptions>(options, INFERENCE_OPTIONS);
    const arms = readArms(input);
    const {a, b, scale} = arms;
    const [meanA, meanB] = [trueMean(a, arms) * scale, trueMean(b, arms) * scale];
    const [squareA, squareB] = [a.variance / a.n, b.variance / b.n];
    if (isNoise(Math.sqrt(squareA + squareB), meanA, meanB)) {
      refuse(
        'zero_variance',
        'a and b are constant: there is no spread to test against; compare the two values directly',
      );
    }
    if (meanB === 0)
      refuse(
        'zero_denominator',
        'the mean of b is 0: a relative difference needs another base; use the absolute difference',
      );
    const lift = (a.mean - b.mean) / Math.abs(meanB);
    const standardError = Math.sqrt(squareA + squareB * (meanA / meanB) ** 2) / Math.abs(meanB);
    if (!(standardError > 0)) {
      refuse('zero_variance', 'a is constantly 0: a relative difference of exactly −100 % has no spread; use the absolute difference');
    }
    const df = welchDf(a, b);
    return {
      nA: a.n,
      nB: b.n,
      lift,
      standardError,
      df,
      ...inferT({estimate: lift, standardError, df}, chosen),
    };
  });
}
