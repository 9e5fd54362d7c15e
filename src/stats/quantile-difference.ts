import {armOf, readTwoSamples, type TwoSamples} from './groups.ts';
import {inferZ, type InferenceOptions, type Interval} from './inference.ts';
import {type OrderStatistics, orderStatistics} from './order-statistics.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {requireAtLeast} from './read-input.ts';
import {alternative, confidenceLevel, openFraction, readOptions} from './read-options.ts';
import {isNoise} from './scale.ts';

export interface QuantileDifferenceOptions extends InferenceOptions {
  /** 0.95 for p95. */
  readonly quantile: number;
}

export interface QuantileDifferenceResult {
  readonly nA: number;
  readonly nB: number;
  readonly quantileA: number;
  readonly quantileB: number;
  readonly difference: number;
  readonly standardError: number;
  readonly statistic: number;
  readonly pValue: number;
  readonly ci: Interval;
}

/** Φ⁻¹(0.975): the inner interval whose width gives the standard error is always at 95 %. */
const Z = 1.959963984540054;

/**
 * Difference of a quantile between two independent arms; observations or groups {value, nA, nB}.
 * Errors: `non_finite`, `insufficient_data` (too few observations beyond the quantile), `zero_variance`, `invalid_argument`.
 * Source: Woodruff (1952) on type-7 quantiles, as in gbstats.
 */
export function quantileDifference(
  input: TwoSamples,
  options?: Partial<QuantileDifferenceOptions>,
): Outcome<QuantileDifferenceResult> {
  return attempt(() => {
    const chosen = readOptions<QuantileDifferenceOptions>(options, {
      alternative,
      confidenceLevel,
      quantile: openFraction(0.5),
    });
    const groups = readTwoSamples(input);
    const {nA, nB} = groups;
    requireEnough(nA, chosen.quantile, 'a');
    requireEnough(nB, chosen.quantile, 'b');
    const a = estimate(orderStatistics(armOf(groups, 'a')), chosen.quantile);
    const b = estimate(orderStatistics(armOf(groups, 'b')), chosen.quantile);
    const standardError = Math.hypot(a.error, b.error);
    if (isNoise(standardError, a.value, b.value)) {
      refuse(
        'zero_variance',
        'a and b are constant around the quantile: there is no spread to test against; compare the two values directly',
      );
    }
    const difference = a.value - b.value;
    return {
      nA,
      nB,
      quantileA: a.value,
      quantileB: b.value,
      difference,
      standardError,
      ...inferZ({estimate: difference, standardError}, chosen),
    };
  });
}

/** Below this n the inner interval would reach past the data. */
function requireEnough(n: number, quantile: number, field: string): void {
  requireAtLeast(n, 1, field);
  const odds = quantile / (1 - quantile);
  const least = Z * Z * Math.max(odds, 1 / odds);
  if (n <= least)
    refuse(
      'insufficient_data',
      `${field} has ${n} observations: quantile ${quantile} needs more than ${Math.floor(least)}; collect more or use a lower quantile`,
    );
}

function estimate(sample: OrderStatistics, quantile: number): {value: number; error: number} {
  const half = Z * Math.sqrt((quantile * (1 - quantile)) / sample.n);
  const low = sample.quantile(Math.max(0, quantile - half));
  const high = sample.quantile(Math.min(1, quantile + half));
  return {value: sample.quantile(quantile), error: (high - low) / (2 * Z)};
}
