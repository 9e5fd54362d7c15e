import {inferZ, type InferenceOptions, type Interval} from './inference.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {alternative, confidenceLevel, openFraction, readOptions} from './read-options.ts';
import {isNoise} from './scale.ts';

/** A distinct value and the sum of the weights of those who have it, in whole units. */
export interface WeightedValue {
  readonly value: number;
  readonly weight: bigint;
}

export interface WeightedQuantiles {
  /** Smallest value that has at least the share p of the weight at or below it. */
  readonly quantile: (p: number) => number;
}

export interface WeightedQuantileArm {
  readonly quantiles: WeightedQuantiles;
  /** Sampled independently of one another; each may have several observations. */
  readonly units: number;
  /** The weighted share at or below the arm's own quantile, and its linearised variance per unit (times n = SE² · n²). */
  readonly share: {readonly mean: number; readonly variance: number};
  /** Σd² / (Σd)² over units, d the weight of a unit's observations: 1/n where all units weigh the same. */
  readonly concentration: number;
}

export interface WeightedQuantileOptions extends InferenceOptions {
  /** 0.95 for p95. */
  readonly quantile: number;
}

export interface WeightedQuantileDifferenceResult {
  readonly quantileA: number;
  readonly quantileB: number;
  readonly difference: number;
  readonly standardError: number;
  readonly statistic: number;
  readonly pValue: number;
  readonly ci: Interval;
}

/** Shares are compared as whole numbers, so that a share met exactly is met. */
const SHARE_DIGITS = 12;
const SHARE_ONE = 10n ** BigInt(SHARE_DIGITS);

/** Φ⁻¹(0.975), as of the difference without weights. */
const Z = 1.959963984540054;

/** The inverse of the weighted distribution function of values in ascending order; at least one of them weighs something. */
export function weightedQuantiles(groups: readonly WeightedValue[]): WeightedQuantiles {
  let total = 0n;
  const reached = groups.map(({weight}) => {
    total += weight;
    return total;
  });
  const quantile = (p: number): number => {
    const wanted = BigInt(Math.round(Math.min(1, Math.max(0, p)) * 10 ** SHARE_DIGITS)) * total;
    let [low, high] = [0, groups.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((reached[middle] as bigint) * SHARE_ONE >= wanted) high = middle;
      else low = middle + 1;
    }
    return (groups[low] as WeightedValue).value;
  };
  return {quantile};
}

/**
 * Difference of a quantile between two independent arms whose observations have weights and come in units.
 * Errors: `insufficient_data` (fewer than two units, or too few beyond the quantile), `zero_variance`, `invalid_argument`.
 * Source: Woodruff (1952) with the linearised variance of the share (Francisco and Fuller 1991), as R's survey::svyquantile.
 */
export function weightedQuantileDifference(
  arms: {readonly a: WeightedQuantileArm; readonly b: WeightedQuantileArm},
  options?: Partial<WeightedQuantileOptions>,
): Outcome<WeightedQuantileDifferenceResult> {
  return attempt(() => {
    const chosen = readOptions<WeightedQuantileOptions>(options, {alternative, confidenceLevel, quantile: openFraction(0.5)});
    const a = estimate(arms.a, chosen.quantile, 'a');
    const b = estimate(arms.b, chosen.quantile, 'b');
    const standardError = Math.hypot(a.error, b.error);
    if (isNoise(standardError, a.value, b.value)) {
      refuse('zero_variance', 'a and b are constant around the quantile: there is no spread to test against; compare the two values directly');
    }
    const difference = a.value - b.value;
    return {quantileA: a.value, quantileB: b.value, difference, standardError, ...inferZ({estimate: difference, standardError}, chosen)};
  });
}

function estimate({quantiles, units, share, concentration}: WeightedQuantileArm, p: number, field: string): {value: number; error: number} {
  if (units < 2) refuse('insufficient_data', `${field} has ${units} units: at least 2 are needed; collect more`);
  const spread = share.mean * (1 - share.mean);
  // Of discrete values the share at the quantile is not p itself: its variance is brought there as that of a proportion.
  const variance = p * (1 - p) * (spread > 0 ? share.variance / units / spread : concentration);
  const half = Z * Math.sqrt(variance);
  if (!(p - half > 0 && p + half < 1)) {
    refuse('insufficient_data', `${field} has ${units} units: the interval of quantile ${p} reaches past its data; collect more or use a quantile nearer the middle`);
  }
  return {value: quantiles.quantile(p), error: (quantiles.quantile(p + half) - quantiles.quantile(p - half)) / (2 * Z)};
}
