import {binomial} from './binomial.ts';
import {type OneSample, readOneSample} from './groups.ts';
import type {Interval} from './inference.ts';
import {orderStatistics} from './order-statistics.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {requireAtLeast} from './read-input.ts';
import {confidenceLevel, openFraction, readOptions} from './read-options.ts';

export interface QuantileCiOptions {
  readonly quantile: number;
  readonly confidenceLevel: number;
}

export interface QuantileCiResult {
  readonly n: number;
  /** Type-7 quantile of the sample. */
  readonly estimate: number;
  /** An end is infinite when no observation bounds it at this level. */
  readonly ci: Interval;
  /** Ranks, from 1, of the observations at the ends; null for an infinite end. */
  readonly lowerRank: number | null;
  readonly upperRank: number | null;
  /** Actual probability that the interval covers the quantile; at least the confidence level. */
  readonly coverage: number;
}

/** The table of binomial terms grows with √n; this is 100 MB. */
const N_MAX = 1e12;

/** A tail equal to α/2 in exact arithmetic must not miss it by a rounding. */
const SLACK = 1 + 1e-12;

/**
 * Distribution-free interval for a quantile from order statistics; observations or groups {value, count}.
 * Errors: `non_finite`, `insufficient_data` (none), `invalid_argument`.
 * Source: Conover (1999) §3.2; agrees with scipy `quantile_test`.
 */
export function quantileCi(
  input: OneSample,
  options?: Partial<QuantileCiOptions>,
): Outcome<QuantileCiResult> {
  return attempt(() => {
    const chosen = readOptions<QuantileCiOptions>(options, {quantile: openFraction(0.5), confidenceLevel});
    const groups = readOneSample(input);
    const {n} = groups;
    requireAtLeast(n, 1, 'x');
    if (n > N_MAX)
      refuse('invalid_argument', `x has ${n} observations: up to ${N_MAX} are supported; sample whole units`);
    const sample = orderStatistics(groups);
    const below = binomial(n, chosen.quantile);
    const allowed = ((1 - chosen.confidenceLevel) / 2) * SLACK;
    const lowerRank =
      below.lower(0) <= allowed ? largest(1, n, rank => below.lower(rank - 1) <= allowed) : null;
    const upperRank =
      below.upper(n) <= allowed ? n + 1 - largest(1, n, back => below.upper(n + 1 - back) <= allowed) : null;
    const missed =
      (lowerRank === null ? 0 : below.lower(lowerRank - 1)) +
      (upperRank === null ? 0 : below.upper(upperRank));
    return {
      n,
      estimate: sample.quantile(chosen.quantile),
      ci: [
        lowerRank === null ? Number.NEGATIVE_INFINITY : sample.at(lowerRank),
        upperRank === null ? Number.POSITIVE_INFINITY : sample.at(upperRank),
      ] as const,
      lowerRank,
      upperRank,
      coverage: 1 - missed,
    };
  });
}

/** Largest whole number in [low, high] that holds, given that `low` does and the rest follows in one run. */
function largest(low: number, high: number, holds: (value: number) => boolean): number {
  let [good, end] = [low, high];
  while (good < end) {
    const middle = Math.ceil((good + end) / 2);
    if (holds(middle)) good = middle;
    else end = middle - 1;
  }
  return good;
}
