import {chiSquareSf} from './chi-square-distribution.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {
  readCount,
  readNonNegative,
  readNumbers,
  readRecord,
  requireFinite,
  requireSameLength,
} from './read-input.ts';
import {openFraction, readOptions} from './read-options.ts';
import {sum} from './sum.ts';

export interface SrmOptions {
  /** A p-value below it flags the split. */
  readonly threshold: number;
}

export interface SrmResult {
  readonly n: number;
  readonly statistic: number;
  /** Weighted arms − 1. */
  readonly df: number;
  readonly pValue: number;
  readonly flagged: boolean;
}

export interface SrmInput {
  /** Units seen per arm. */
  readonly observed: readonly number[];
  /** Configured weights, in any unit. */
  readonly weights: readonly number[];
}

/**
 * Sample ratio mismatch: Pearson's goodness of fit of the observed split to the
 * weights. An arm of weight 0 that got traffic makes the statistic infinite.
 * Errors: `length_mismatch`, `non_finite`, `insufficient_data` (no traffic, fewer than two weighted arms), `invalid_argument`.
 * Source: Fabijan et al. (KDD 2019); agrees with scipy `chisquare`.
 */
export function srm(input: SrmInput, options?: Partial<SrmOptions>): Outcome<SrmResult> {
  return attempt(() => {
    const {threshold} = readOptions<SrmOptions>(options, {threshold: openFraction(0.001)});
    const {observed, shares, n} = readSplit(input);
    const isStray = observed.some((count, i) => shares[i] === 0 && count > 0);
    const statistic = isStray ? Number.POSITIVE_INFINITY : goodnessOfFit(observed, shares, n);
    const df = shares.filter(share => share > 0).length - 1;
    const pValue = chiSquareSf(statistic, df);
    return {n, statistic, df, pValue, flagged: pValue < threshold};
  });
}

/** Reads a split: counts, and weights as shares of 1. */
export function readSplit(input: unknown): {observed: number[]; shares: number[]; n: number} {
  const given = readRecord(input, 'input');
  const counts = readNumbers(given['observed'], 'observed');
  const weights = readNumbers(given['weights'], 'weights');
  requireSameLength(counts, weights, 'observed and weights');
  requireFinite(counts, 'observed');
  requireFinite(weights, 'weights');
  const observed = Array.from(counts, (count, i) => readCount(count, `observed[${i}]`));
  weights.forEach((weight, i) => {
    readNonNegative(weight, `weights[${i}]`);
  });
  if (observed.length < 2)
    refuse('insufficient_data', `observed has ${observed.length} arms: at least two are needed`);
  const total = sum(weights);
  if (total === 0) refuse('invalid_argument', 'weights are all 0: at least two arms need a weight above 0');
  const weighted = weights.filter(weight => weight > 0).length;
  if (weighted < 2)
    refuse(
      'insufficient_data',
      `weights has ${weighted} arm above 0: at least two are needed to compare a split`,
    );
  const n = sum(observed);
  if (n === 0) refuse('insufficient_data', 'observed is all 0: no unit has been seen; wait for traffic');
  return {observed, shares: Array.from(weights, weight => weight / total), n};
}

function goodnessOfFit(observed: readonly number[], shares: readonly number[], n: number): number {
  return sum(
    observed.map((count, i) => {
      const share = shares[i] as number;
      if (share === 0) return 0;
      const expected = n * share;
      return ((count - expected) / expected) * (count - expected);
    }),
  );
}
