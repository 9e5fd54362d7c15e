import {exactPValue, type InferenceOptions, type Interval, normalPValue, tailShare} from './inference.ts';
import {normal} from './normal.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {type Alternative, alternative, bool, confidenceLevel, oneOf, readOptions} from './read-options.ts';
import {selectPair} from './select-pair.ts';
import {ascending, type DifferenceInput, readDifferences, type SignedGroups} from './signed-groups.ts';
import {signedRank} from './signed-rank.ts';

export type ZeroMethod = 'wilcox' | 'pratt' | 'zsplit';

export interface WilcoxonSignedRankOptions extends InferenceOptions {
  /** `auto`: exact for up to 50 non-zero differences. */
  readonly method: 'auto' | 'exact' | 'asymptotic';
  /** Drop zeros, rank them and drop their ranks, or share their ranks. */
  readonly zeroMethod: ZeroMethod;
  /** Half a rank towards the mean in the normal approximation. */
  readonly continuity: boolean;
}

export interface WilcoxonSignedRankResult {
  /** Pairs, zeros included. */
  readonly n: number;
  readonly nonZero: number;
  readonly zeros: number;
  readonly method: 'exact' | 'asymptotic';
  /** W⁺, R's V. */
  readonly statistic: number;
  readonly wPlus: number;
  readonly wMinus: number;
  /** Only with the asymptotic method. */
  readonly z?: number;
  readonly pValue: number;
  /** (W⁺ − W⁻)/(W⁺ + W⁻) over the non-zero differences. */
  readonly effectSize: {readonly rankBiserial: number};
  /** Median of the Walsh averages, in the unit of the data. */
  readonly hodgesLehmann: number;
  readonly ci: Interval;
}

/** Rank sums of the non-zero differences, and what the chosen treatment of zeros makes of them. */
interface RankSums {
  readonly plus: number;
  readonly minus: number;
  /** Twice the rank of each non-zero difference. */
  readonly doubledTotal: number;
  /** Half of the zeros' rank sum, for zsplit. */
  readonly zeroShare: number;
  readonly mean: number;
  readonly variance: number;
}

/**
 * Wilcoxon's signed-rank test for pairs, from `a` and `b`, `differences`, or
 * `groups` of equal differences. Ties and zeros are decided on decimal values.
 * Errors: `length_mismatch`, `non_finite`, `insufficient_data` (none), `all_zero`, `invalid_argument`.
 * Source: Wilcoxon (1945), Pratt (1959); agrees with scipy `wilcoxon` (permutation method) and R `wilcox.test`.
 */
export function wilcoxonSignedRank(
  input: DifferenceInput,
  options?: Partial<WilcoxonSignedRankOptions>,
): Outcome<WilcoxonSignedRankResult> {
  return attempt(() => {
    const chosen = readOptions<WilcoxonSignedRankOptions>(options, {
      alternative,
      confidenceLevel,
      method: oneOf(['auto', 'exact', 'asymptotic'], 'auto'),
      zeroMethod: oneOf<ZeroMethod>(['wilcox', 'pratt', 'zsplit'], 'wilcox'),
      continuity: bool(true),
    });
    const groups = readDifferences(input);
    if (groups.n === 0)
      refuse('insufficient_data', 'there are no pairs: at least one is needed; collect more');
    if (groups.nonZero === 0)
      refuse(
        'all_zero',
        `all ${groups.n} differences are zero: nothing can be ranked; report that the arms agree`,
      );
    const sums = rankSums(groups, chosen.zeroMethod);
    const wPlus = sums.plus + sums.zeroShare;
    return {
      n: groups.n,
      nonZero: groups.nonZero,
      zeros: groups.zeros,
      statistic: wPlus,
      wPlus,
      wMinus: sums.minus + sums.zeroShare,
      ...significance(groups, sums, chosen),
      effectSize: {rankBiserial: (sums.plus - sums.minus) / (sums.plus + sums.minus)},
      ...location(groups, chosen),
    };
  });
}

/** What a large signed-rank test comes down to where differences are too many to list. */
export interface SignedRankSums {
  readonly zeros: number;
  readonly nonZero: number;
  /** Twice the rank sum of positive differences, so that mid-ranks are whole. */
  readonly doubledPlus: number;
  /** Σ(t³ − t) over groups of equal distance from zero. */
  readonly tieTerm: number;
}

/**
 * The same test from rank sums: normal approximation with corrections for ties and continuity, zeros dropped.
 * Rank sums do not know the differences, so there is no Hodges–Lehmann estimate.
 */
export function wilcoxonFromRankSums(sums: SignedRankSums): Outcome<Omit<WilcoxonSignedRankResult, 'hodgesLehmann' | 'ci'>> {
  return attempt(() => {
    const {zeros, nonZero: n, tieTerm} = sums;
    if (n === 0) refuse('all_zero', `all ${zeros} differences are zero: nothing can be ranked; report that the arms agree`);
    const all = (n * (n + 1)) / 2;
    const wPlus = sums.doubledPlus / 2;
    const centred = wPlus - all / 2;
    const variance = (n * (n + 1) * (2 * n + 1)) / 24 - tieTerm / 48;
    const z = (centred - continuityCorrection(centred, 'two-sided')) / Math.sqrt(variance);
    return {
      n: n + zeros,
      nonZero: n,
      zeros,
      method: 'asymptotic' as const,
      statistic: wPlus,
      wPlus,
      wMinus: all - wPlus,
      z,
      pValue: normalPValue(z, 'two-sided'),
      effectSize: {rankBiserial: (2 * wPlus - all) / all},
    };
  });
}

function rankSums(groups: SignedGroups, zeroMethod: ZeroMethod): RankSums {
  const {zeros} = groups;
  const offset = zeroMethod === 'wilcox' ? 0 : zeros;
  let before = offset;
  let plus = 0;
  let minus = 0;
  let ties = 0;
  for (let g = 0; g < groups.magnitudes.length; g++) {
    const positive = groups.positive[g] as number;
    const size = positive + (groups.negative[g] as number);
    const rank = before + (size + 1) / 2;
    plus += positive * rank;
    minus += (size - positive) * rank;
    ties += size ** 3 - size;
    before += size;
  }
  const n = before;
  const isSplit = zeroMethod === 'zsplit';
  // Pratt's statistic loses the ranks of the zeros, zsplit keeps them as one more tie group.
  const lost = isSplit ? 0 : offset;
  if (isSplit) ties += zeros ** 3 - zeros;
  return {
    plus,
    minus,
    doubledTotal: 2 * (plus + minus),
    zeroShare: isSplit ? (zeros * (zeros + 1)) / 4 : 0,
    mean: (n * (n + 1) - lost * (lost + 1)) / 4,
    variance: (n * (n + 1) * (2 * n + 1) - lost * (lost + 1) * (2 * lost + 1)) / 24 - ties / 48,
  };
}

function significance(
  groups: SignedGroups,
  sums: RankSums,
  options: WilcoxonSignedRankOptions,
): {method: 'exact' | 'asymptotic'; pValue: number; z?: number} {
  const isExact = options.method === 'exact' || (options.method === 'auto' && groups.nonZero <= 50);
  if (isExact) {
    if (!signedRank.isFeasible(groups.nonZero, sums.doubledTotal)) {
      refuse(
        'invalid_argument',
        `method is exact with ${groups.nonZero} non-zero differences: the table would not fit; use asymptotic`,
      );
    }
    const tails = signedRank.tails(
      doubledRanks(groups, options.zeroMethod === 'wilcox' ? 0 : groups.zeros),
      2 * sums.plus,
    );
    return {method: 'exact', pValue: exactPValue(tails, options.alternative)};
  }
  const centred = sums.plus + sums.zeroShare - sums.mean;
  const correction = options.continuity ? continuityCorrection(centred, options.alternative) : 0;
  const z = (centred - correction) / Math.sqrt(sums.variance);
  return {method: 'asymptotic', z, pValue: normalPValue(z, options.alternative)};
}

/** Half a unit towards the null value of a rank statistic, as R and scipy do it. */
export function continuityCorrection(centred: number, side: Alternative): number {
  if (side === 'two-sided') return 0.5 * Math.sign(centred);
  return side === 'greater' ? 0.5 : -0.5;
}

function doubledRanks(groups: SignedGroups, offset: number): number[] {
  const ranks: number[] = [];
  let before = offset;
  for (let g = 0; g < groups.magnitudes.length; g++) {
    const size = (groups.positive[g] as number) + (groups.negative[g] as number);
    for (let i = 0; i < size; i++) ranks.push(2 * before + size + 1);
    before += size;
  }
  return ranks;
}

function location(groups: SignedGroups, options: InferenceOptions): {hodgesLehmann: number; ci: Interval} {
  const {n} = groups;
  const column = ascending(groups);
  const pairs = (n * (n + 1)) / 2;
  const k = Math.min(pairs, Math.max(1, lowerRank(n, tailShare(options))));
  const side = options.alternative;
  return {
    hodgesLehmann: selectPair.medianWalshAverage(column, n),
    ci: [
      side === 'less' ? Number.NEGATIVE_INFINITY : selectPair.walshAverage(column, k),
      side === 'greater' ? Number.POSITIVE_INFINITY : selectPair.walshAverage(column, pairs + 1 - k),
    ],
  };
}

/** Rank of the Walsh average that bounds the interval: exact up to n = 50, then the normal approximation. */
function lowerRank(n: number, share: number): number {
  if (n <= 50) return signedRank.quantile(share, n);
  const pairs = (n * (n + 1)) / 2;
  const sd = Math.sqrt((n * (n + 1) * (2 * n + 1)) / 24);
  return Math.ceil(pairs / 2 + normal.quantile(share) * sd - 0.5);
}
