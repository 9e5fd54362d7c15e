import {logGamma} from './log-gamma.ts';
import {attempt, type Outcome} from './outcome.ts';
import {num, openFraction, readOptions} from './read-options.ts';
import {readSplit, type SrmInput} from './srm.ts';
import {sum} from './sum.ts';

export interface SrmSequentialOptions {
  readonly threshold: number;
  /**
   * Units' worth of belief in the configured split: larger finds small mismatches better, later.
   * Without it three beliefs are averaged, so that a gross break shows within a hundred units
   * and half a per cent within a million.
   */
  readonly concentration: number | undefined;
}

export interface SrmSequentialResult {
  readonly n: number;
  /** log of the Bayes factor against the configured split. */
  readonly logBayesFactor: number;
  /** Valid at every look; a caller that keeps looking keeps the smallest. */
  readonly pValue: number;
  readonly flagged: boolean;
}

/**
 * Sample ratio mismatch that may be looked at after every unit: the Bayes factor
 * of a Dirichlet-multinomial around the weights is a martingale under them.
 * Errors: as {@link srm}. Source: Lindon and Malek, "Anytime-valid inference for multinomial count data" (NeurIPS 2022).
 */
export function srmSequential(
  input: SrmInput,
  options?: Partial<SrmSequentialOptions>,
): Outcome<SrmSequentialResult> {
  return attempt(() => {
    const {threshold, concentration} = readOptions<SrmSequentialOptions>(options, {
      threshold: openFraction(0.001),
      concentration: num(undefined, 'above 0', value => value > 0),
    });
    const split = readSplit(input);
    const {n} = split;
    const factors = (concentration === undefined ? BELIEFS : [concentration]).map(belief => logFactor(split, belief));
    const logBayesFactor = logMean(factors);
    const pValue = Math.min(1, Math.exp(-logBayesFactor));
    return {n, logBayesFactor, pValue, flagged: pValue < threshold};
  });
}

const BELIEFS = [100, 10_000, 1_000_000];

function logFactor({observed, shares, n}: ReturnType<typeof readSplit>, belief: number): number {
  return (
    logRising(belief, n, -1) +
    sum(
      observed.map((count, i) => {
        const share = shares[i] as number;
        // Traffic in an arm of weight 0 is impossible under the weights.
        if (share === 0) return count > 0 ? Number.POSITIVE_INFINITY : 0;
        return logRising(belief * share, count, 1) - count * Math.log(share);
      }),
    )
  );
}

/** A mean of martingales is one. */
function logMean(logs: readonly number[]): number {
  const largest = Math.max(...logs);
  if (!Number.isFinite(largest)) return largest;
  return largest + Math.log(sum(logs.map(log => Math.exp(log - largest))) / logs.length);
}

/** ± log Γ(start + count)/Γ(start). */
function logRising(start: number, count: number, sign: 1 | -1): number {
  return sign * (logGamma(start + count) - logGamma(start));
}
