import {inferT, type InferenceOptions, type Interval} from './inference.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {readOptions} from './read-options.ts';
import {requireAtLeast} from './read-input.ts';
import {isNoise} from './scale.ts';
import {INFERENCE_OPTIONS, welchDf} from './welch-t.ts';

/** Weighted mean of the places that an arm's observations take among those of the other arm, 0 to 1, ties counting half. */
export interface Placements {
  /** Sampled independently of one another; each may have several observations. */
  readonly units: number;
  readonly mean: number;
  /** Linearised, per unit: SE² = variance / units. */
  readonly variance: number;
}

export interface WeightedRankResult {
  /** P(a > b) + P(a = b) / 2 in the population. */
  readonly commonLanguage: number;
  readonly standardError: number;
  /** Of the distance from one half. */
  readonly statistic: number;
  readonly df: number;
  readonly pValue: number;
  /** Of `commonLanguage`. */
  readonly ci: Interval;
}

/**
 * The rank test of two independent arms whose observations have weights and come in units: how often one of a is above one of b.
 * With one observation a unit and equal weights it is Brunner and Munzel's (2000); unlike U it holds for unequal spreads, too.
 * Errors: `insufficient_data` (fewer than two units), `zero_variance` (the arms do not overlap, or all is tied), `invalid_argument`.
 * Source: Brunner and Munzel (2000); ranks of an estimated population under a sampling design: Lumley and Scott (2013).
 */
export function weightedRankDifference(
  {a, b}: {readonly a: Placements; readonly b: Placements},
  options?: Partial<InferenceOptions>,
): Outcome<WeightedRankResult> {
  return attempt(() => {
    const chosen = readOptions<InferenceOptions>(options, INFERENCE_OPTIONS);
    requireAtLeast(a.units, 2, 'a');
    requireAtLeast(b.units, 2, 'b');
    const standardError = Math.sqrt(a.variance / a.units + b.variance / b.units);
    if (isNoise(standardError, a.mean, b.mean)) {
      refuse('zero_variance', 'a and b do not overlap, or every value is tied: places have no spread to test against; compare the values directly');
    }
    const df = welchDf({n: a.units, variance: a.variance}, {n: b.units, variance: b.variance});
    const {statistic, pValue, ci} = inferT({estimate: a.mean, standardError, df, nullValue: 0.5}, chosen);
    return {commonLanguage: a.mean, standardError, statistic, df, pValue, ci};
  });
}
