import type {ArmSummary} from './arms.ts';
import {armOf, type Groups, pool, readTwoSamples, type TwoSamples} from './groups.ts';
import type {InferenceOptions} from './inference.ts';
import {orderStatistics} from './order-statistics.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {requireAtLeast} from './read-input.ts';
import {alternative, confidenceLevel, num, readOptions} from './read-options.ts';
import {scaleFor} from './scale.ts';
import {sum} from './sum.ts';
import {welchFromArms, type WelchTResult} from './welch-t.ts';

export interface WinsorisedOptions extends InferenceOptions {
  /** Pooled quantiles that both arms are clamped to; 0 and 1 clamp nothing. */
  readonly lower: number;
  readonly upper: number;
}

export interface WinsorisedMeanDifferenceResult extends WelchTResult {
  /** Values that were clamped to, in the unit of the data. */
  readonly lowerBound: number;
  readonly upperBound: number;
}

/**
 * Welch's t after both arms were clamped to common quantiles, so that a few
 * giant values do not carry the mean. Observations or groups {value, nA, nB}.
 * Errors: `non_finite`, `insufficient_data` (n < 2), `zero_variance`, `invalid_argument`.
 * Source: Tukey and McLaughlin (1963); pooled type-7 quantiles.
 */
export function winsorisedMeanDifference(
  input: TwoSamples,
  options?: Partial<WinsorisedOptions>,
): Outcome<WinsorisedMeanDifferenceResult> {
  return attempt(() => {
    const share = (fallback: number) => num(fallback, 'between 0 and 1', value => value >= 0 && value <= 1);
    const chosen = readOptions<WinsorisedOptions>(options, {
      alternative,
      confidenceLevel,
      lower: share(0),
      upper: share(0.99),
    });
    if (chosen.lower >= chosen.upper) {
      refuse(
        'invalid_argument',
        `lower is ${chosen.lower}: it must be below upper, which is ${chosen.upper}`,
      );
    }
    const groups = readTwoSamples(input);
    requireAtLeast(groups.nA, 2, 'a');
    requireAtLeast(groups.nB, 2, 'b');
    const pooled = orderStatistics(pool(groups));
    const lowerBound = pooled.quantile(chosen.lower);
    const upperBound = pooled.quantile(chosen.upper);
    const scale = scaleFor(Math.max(Math.abs(lowerBound), Math.abs(upperBound)));
    const clamp = {lowerBound, upperBound, scale};
    const arms = {
      a: clampedSummary(armOf(groups, 'a'), clamp),
      b: clampedSummary(armOf(groups, 'b'), clamp),
      scale,
      offset: lowerBound * scale,
    };
    return {...welchFromArms(arms, chosen), lowerBound, upperBound};
  });
}

/** Mean and variance of clamped values, as distances from the lower bound. */
function clampedSummary(
  {values, counts, n}: Groups,
  {lowerBound, upperBound, scale}: {lowerBound: number; upperBound: number; scale: number},
): ArmSummary {
  const shifted = values.map(
    value => (Math.min(upperBound, Math.max(lowerBound, value)) - lowerBound) * scale,
  );
  const mean = sum(shifted.map((value, g) => value * (counts[g] as number))) / n;
  const squares = shifted.map((value, g) => (value - mean) ** 2 * (counts[g] as number));
  const rest = sum(shifted.map((value, g) => (value - mean) * (counts[g] as number)));
  return {n, mean, variance: Math.max(0, sum(squares) - (rest * rest) / n) / (n - 1)};
}
