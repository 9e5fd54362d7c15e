import type {TestEvidence} from '../core/verdict.ts';
import {pairedT} from '../stats/paired-t.ts';
import {sum} from '../stats/sum.ts';
import {wilcoxonSignedRank} from '../stats/wilcoxon-signed-rank.ts';
import type {PairGroups} from '../warehouse/warehouse.ts';
import {type AppliedTest, type ArmNumbers, notComputable, type StandardError} from './applied-test.ts';

/** Pairs over the items that have a value in either arm; null without items. */
export function coverageOf(pairs: PairGroups): number | null {
  return pairs.itemsEither === 0 ? null : pairs.pairs / pairs.itemsEither;
}

/** Student's t on the differences of pairs; n and means are those of the pairs. */
export function pairedTest(pairs: PairGroups, {alpha, isShare}: {readonly alpha: number; readonly isShare: boolean}): AppliedTest {
  const {mean, sd} = momentsOfDifferences(pairs);
  const control = armOfPairs(pairs.pairs, pairs.sumControl, pairs.sumSquaresControl);
  const variant = armOfPairs(pairs.pairs, pairs.sumVariant, pairs.sumSquaresVariant);
  const test = pairedT(
    {n: pairs.pairs, meanDifference: mean ?? 0, sdDifference: sd ?? 0},
    {confidenceLevel: 1 - alpha},
  );
  if (test.status !== 'ok') {
    const error = isShare && sd === 0 ? paddedError(pairs.pairs, mean ?? 0) : ({status: 'not_computable', reason: test.reason} as const);
    return {evidence: {...notComputable('paired-t', test), details: itemsOf(pairs)}, control, variant, effect: mean, error};
  }
  const evidence: TestEvidence = {
    test: 'paired-t',
    status: 'ok',
    statistic: test.statistic,
    df: test.df,
    p_value: test.pValue,
    estimate: test.meanDifference,
    ci_low: test.ci[0],
    ci_high: test.ci[1],
    n_control: pairs.pairs,
    n_variant: pairs.pairs,
    details: {
      standard_error: test.standardError,
      sd_difference: test.sdDifference,
      cohens_dz: test.effectSize.cohensDz,
      hedges_gz: test.effectSize.hedgesGz,
      ...itemsOf(pairs),
    },
  };
  return {evidence, control, variant, effect: mean, error: {status: 'ok', value: test.standardError, method: 'paired'}};
}

/** Wilcoxon on the same pairs; its estimate is the Hodges–Lehmann median of Walsh averages. */
export function signedRankTest(pairs: PairGroups, alpha: number): TestEvidence {
  const test = wilcoxonSignedRank({groups: pairs.differences}, {confidenceLevel: 1 - alpha});
  if (test.status !== 'ok') return {...notComputable('wilcoxon-signed-rank', test), details: itemsOf(pairs)};
  return {
    test: 'wilcoxon-signed-rank',
    status: 'ok',
    statistic: test.statistic,
    p_value: test.pValue,
    estimate: test.hodgesLehmann,
    ci_low: test.ci[0],
    ci_high: test.ci[1],
    n_control: pairs.pairs,
    n_variant: pairs.pairs,
    details: {
      method: test.method,
      zero_method: 'wilcox',
      continuity: test.method === 'asymptotic',
      zeros: test.zeros,
      non_zero: test.nonZero,
      ...tiesOf(pairs),
      w_plus: test.wPlus,
      w_minus: test.wMinus,
      ...(test.z === undefined ? {} : {z: test.z}),
      rank_biserial: test.effectSize.rankBiserial,
    },
  };
}

/** Win, tie and loss of the variant, and how many items had no partner. */
function itemsOf(pairs: PairGroups): Record<string, number> {
  const count = (keep: (difference: number) => boolean): number =>
    pairs.differences.reduce((all, group) => all + (keep(group.difference) ? group.count : 0), 0);
  return {
    items_control: pairs.itemsControl,
    items_variant: pairs.itemsVariant,
    items_either: pairs.itemsEither,
    dropped: pairs.itemsEither - pairs.pairs,
    wins: count(d => d > 0),
    ties: count(d => d === 0),
    losses: count(d => d < 0),
  };
}

/** Non-zero differences that share their size with another. */
function tiesOf(pairs: PairGroups): {has_ties: boolean; tied: number} {
  const bySize = new Map<number, number>();
  for (const {difference, count} of pairs.differences) {
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

/** Two passes over the groups, compensated: centred before squaring. */
function momentsOfDifferences({differences, pairs: n}: PairGroups): {mean: number | null; sd: number | null} {
  if (n === 0) return {mean: null, sd: null};
  const mean = sum(differences.map(group => group.difference * group.count)) / n;
  if (n < 2) return {mean, sd: null};
  const squares = sum(differences.map(group => group.count * (group.difference - mean) ** 2));
  return {mean, sd: Math.sqrt(squares / (n - 1))};
}

/** The pairs' own values: for display only, so plain sums will do. */
function armOfPairs(n: number, total: number, squares: number): ArmNumbers {
  if (n === 0) return {n, mean: null, sd: null};
  const mean = total / n;
  return {n, mean, sd: n < 2 ? null : Math.sqrt(Math.max(0, (squares - total * mean) / (n - 1)))};
}
