import type {TestEvidence} from '../core/verdict.ts';
import {clusteredPairedT} from '../stats/clustered-paired-t.ts';
import {pairedT} from '../stats/paired-t.ts';
import {sum} from '../stats/sum.ts';
import {wilcoxonFromRankSums, wilcoxonSignedRank, type WilcoxonSignedRankResult} from '../stats/wilcoxon-signed-rank.ts';
import type {PairGroups} from '../warehouse/warehouse.ts';
import {type AppliedTest, type ArmNumbers, notComputable, rootOf, type StandardError} from './applied-test.ts';
import {momentsOfSteps, squaredClusterSums} from './exact-moments.ts';

/** Pairs over the items that have a value in either arm; null without items. */
export function coverageOf(pairs: PairGroups): number | null {
  return pairs.itemsEither === 0 ? null : pairs.pairs / pairs.itemsEither;
}

/**
 * Student's t on the differences of pairs; n and means are those of the pairs. Where units have several pairs,
 * with a standard error clustered by unit: pairs of one unit need not be independent.
 */
export function pairedTest(pairs: PairGroups, {alpha, isShare}: {readonly alpha: number; readonly isShare: boolean}): AppliedTest {
  const n = pairs.pairs;
  const {mean, variance} = momentsOfSteps(n, pairs.difference, pairs.digits);
  const sd = rootOf(variance);
  const known = {control: armOfPairs(pairs, 'control'), variant: armOfPairs(pairs, 'variant'), effect: mean};
  const test = pairedT({n, meanDifference: mean ?? 0, sdDifference: sd ?? 0}, {confidenceLevel: 1 - alpha});
  if (test.status !== 'ok') {
    const error = isShare && sd === 0 ? paddedError(n, mean ?? 0) : ({status: 'not_computable', reason: test.reason} as const);
    return {...known, evidence: {...notComputable('paired-t', test), details: itemsOf(pairs)}, error};
  }
  const effectSizes = {sd_difference: test.sdDifference, cohens_dz: test.effectSize.cohensDz, hedges_gz: test.effectSize.hedgesGz};
  if (!isClustered(pairs)) {
    const details = {standard_error: test.standardError, ...effectSizes, ...itemsOf(pairs)};
    const evidence = evidenceOf(pairs, test, details);
    return {...known, evidence, effect: test.meanDifference, error: {status: 'ok', value: test.standardError, method: 'paired'}};
  }
  return clusteredTest(pairs, {known, effectSizes, mean: test.meanDifference, alpha});
}

type Clustered = {
  readonly known: Pick<AppliedTest, 'control' | 'variant' | 'effect'>;
  readonly effectSizes: Readonly<Record<string, number>>;
  readonly mean: number;
  readonly alpha: number;
};

function clusteredTest(pairs: PairGroups, {known, effectSizes, mean, alpha}: Clustered): AppliedTest {
  const {clusters, pairs: n, difference, digits} = pairs;
  const sumOfSquaredSums = squaredClusterSums({n, total: difference.total, ...clusters, digits});
  const test = clusteredPairedT({n, clusters: clusters.count, meanDifference: mean, sumOfSquaredSums}, {confidenceLevel: 1 - alpha});
  const details = {...effectSizes, method: 'clustered-by-unit', clusters: clusters.count, ...itemsOf(pairs)};
  const independent = clusters.count;
  if (test.status !== 'ok') {
    return {...known, independent, evidence: {...notComputable('paired-t', test), details}, error: {status: 'not_computable', reason: test.reason}};
  }
  const evidence = evidenceOf(pairs, test, {standard_error: test.standardError, ...details});
  return {...known, independent, evidence, error: {status: 'ok', value: test.standardError, method: 'paired-clustered'}};
}

/** Units that have several pairs each. When there is one unit only, the items are what was sampled. */
function isClustered({clusters, pairs}: PairGroups): boolean {
  return clusters.count > 1 && clusters.count < pairs;
}

type TOnPairs = {readonly statistic: number; readonly df: number; readonly pValue: number; readonly meanDifference: number; readonly ci: readonly [number, number]};

function evidenceOf({pairs}: PairGroups, test: TOnPairs, details: Readonly<Record<string, unknown>>): TestEvidence {
  return {
    test: 'paired-t',
    status: 'ok',
    statistic: test.statistic,
    df: test.df,
    p_value: test.pValue,
    estimate: test.meanDifference,
    ci_low: test.ci[0],
    ci_high: test.ci[1],
    n_control: pairs,
    n_variant: pairs,
    details,
  };
}

/** Wilcoxon on the same pairs; its estimate is the Hodges–Lehmann median of Walsh averages, for as many differences as are listed. */
export function signedRankTest(pairs: PairGroups, alpha: number): TestEvidence {
  if (pairs.differences === null) return signedRankOfSums(pairs);
  const test = wilcoxonSignedRank({groups: pairs.differences}, {confidenceLevel: 1 - alpha});
  if (test.status !== 'ok') return {...notComputable('wilcoxon-signed-rank', test), details: itemsOf(pairs)};
  return {...signedRankEvidence(pairs, test, tiesOf(pairs.differences)), estimate: test.hodgesLehmann, ci_low: test.ci[0], ci_high: test.ci[1]};
}

function signedRankOfSums(pairs: PairGroups): TestEvidence {
  const {ranks} = pairs;
  if (ranks === null) return notComputable('wilcoxon-signed-rank', 'the pairs have neither differences nor rank sums');
  const test = wilcoxonFromRankSums({
    zeros: pairs.ties,
    nonZero: ranks.nonZero,
    doubledPlus: Number(ranks.doubledPlus),
    tieTerm: Number(ranks.tieTerm),
  });
  if (test.status !== 'ok') return {...notComputable('wilcoxon-signed-rank', test), details: itemsOf(pairs)};
  const evidence = signedRankEvidence(pairs, test, {has_ties: ranks.tieTerm > 0n});
  return {...evidence, details: {...evidence.details, estimate: 'none: too many distinct differences to take the median of their averages'}};
}

type SignedRank = Omit<WilcoxonSignedRankResult, 'hodgesLehmann' | 'ci'>;

function signedRankEvidence(pairs: PairGroups, test: SignedRank, ties: Readonly<Record<string, unknown>>): TestEvidence {
  return {
    test: 'wilcoxon-signed-rank',
    status: 'ok',
    statistic: test.statistic,
    p_value: test.pValue,
    n_control: pairs.pairs,
    n_variant: pairs.pairs,
    details: {
      method: test.method,
      zero_method: 'wilcox',
      continuity: test.method === 'asymptotic',
      zeros: test.zeros,
      non_zero: test.nonZero,
      ...ties,
      w_plus: test.wPlus,
      w_minus: test.wMinus,
      ...(test.z === undefined ? {} : {z: test.z}),
      rank_biserial: test.effectSize.rankBiserial,
      // Ranks know no clusters: with several pairs a unit its p-value is too small.
      ...(isClustered(pairs) ? {clustered: false, clusters: pairs.clusters.count} : {}),
    },
  };
}

/** Win, tie and loss of the variant, and how many items had no partner. */
function itemsOf({itemsControl, itemsVariant, itemsEither, pairs, wins, ties, losses}: PairGroups): Record<string, number> {
  return {
    items_control: itemsControl,
    items_variant: itemsVariant,
    items_either: itemsEither,
    dropped: itemsEither - pairs,
    wins,
    ties,
    losses,
  };
}

/** Non-zero differences that share their size with another. */
function tiesOf(differences: NonNullable<PairGroups['differences']>): {has_ties: boolean; tied: number} {
  const bySize = new Map<number, number>();
  for (const {difference, count} of differences) {
    const size = Math.abs(difference);
    if (size > 0) bySize.set(size, (bySize.get(size) ?? 0) + count);
  }
  const tied = sum([...bySize.values()].filter(count => count > 1));
  return {has_ties: tied > 0, tied};
}

/** Shares that never differ, or always do: one pair each way is added, as Agresti and Caffo do for two arms. */
function paddedError(n: number, mean: number): StandardError {
  const padded = (n * mean) / (n + 2);
  const variance = (n * mean * mean + 2) / (n + 2) - padded * padded;
  return {status: 'ok', value: Math.sqrt(variance / (n + 2)), method: 'padded'};
}

/** The pairs' own values, for display. */
function armOfPairs(pairs: PairGroups, arm: 'control' | 'variant'): ArmNumbers {
  const {n, mean, variance} = momentsOfSteps(pairs.pairs, pairs[arm], pairs.digits);
  return {n, mean, sd: rootOf(variance)};
}
