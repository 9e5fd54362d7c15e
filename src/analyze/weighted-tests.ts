import type {TestEvidence} from '../core/verdict.ts';
import {selectPair} from '../stats/select-pair.ts';
import {type WeightedQuantileArm, weightedQuantileDifference, type WeightedValue} from '../stats/weighted-quantile-difference.ts';
import {weightedRankDifference} from '../stats/weighted-rank-difference.ts';
import type {ValueGroups} from '../warehouse/value-groups.ts';
import type {WeightedSums} from '../warehouse/warehouse.ts';
import {notComputable} from './applied-test.ts';
import {divide, type Moments, ratioMomentsOf} from './exact-moments.ts';
import type {Distribution} from './inputs.ts';
import {weighedGroupsOf, weightedQuantilesOf} from './quantiles.ts';

export type WeighedArms = {readonly control: string; readonly variant: string};

/** Where events have several weights: outcomes by what they stand for, errors over units, which were sampled as one. */
export type WeighedQuantile = {readonly groups: ValueGroups; readonly shares: readonly WeightedSums[]; readonly quantile: number; readonly alpha: number};

export function weightedQuantileTest({control, variant}: WeighedArms, {groups, shares, quantile, alpha}: WeighedQuantile): TestEvidence {
  const [a, b] = [quantileArm(groups, shares, variant), quantileArm(groups, shares, control)];
  const details = {quantile, weighted: true, clustered: 'by-unit'};
  if (a === null || b === null) return {...notComputable('quantile-difference', `insufficient_data: ${a === null ? variant : control} has no outcomes`), details};
  const test = weightedQuantileDifference({a, b}, {quantile, confidenceLevel: 1 - alpha});
  if (test.status !== 'ok') return {...notComputable('quantile-difference', test), details};
  return {
    test: 'quantile-difference', status: 'ok', statistic: test.statistic, p_value: test.pValue, estimate: test.difference, ci_low: test.ci[0], ci_high: test.ci[1],
    n_control: b.units, n_variant: a.units,
    details: {...details, standard_error: test.standardError},
  };
}

function quantileArm(groups: ValueGroups, shares: readonly WeightedSums[], arm: string): WeightedQuantileArm | null {
  const quantiles = weightedQuantilesOf(groups, arm);
  const sums = shares.find(({variant}) => variant === arm);
  if (quantiles === null || sums === undefined) return null;
  const {mean, variance} = momentsOf(sums);
  return {quantiles, units: sums.units, share: {mean: mean ?? 0, variance: variance ?? 0}, concentration: divide(sums.weightSquares, sums.weight * sums.weight)};
}

/** The estimate is the median of the differences between outcomes of the arms, each pair by the product of its weights. */
export function weightedRankTest({control, variant}: WeighedArms, {places, outcomeGroups}: {readonly places: readonly WeightedSums[]; readonly outcomeGroups: Distribution}): TestEvidence {
  const sums = {a: places.find(arm => arm.variant === variant), b: places.find(arm => arm.variant === control)};
  if (sums.a === undefined || sums.b === undefined) return notComputable('mann-whitney-u', 'insufficient_data: an arm has no outcomes');
  const [a, b] = [placementsOf(sums.a, sums.b), placementsOf(sums.b, sums.a)];
  const test = weightedRankDifference({a, b});
  if (test.status !== 'ok') return notComputable('mann-whitney-u', test);
  const estimate = outcomeGroups.status === 'ok' ? {estimate: medianDifference(outcomeGroups.groups, {control, variant})} : {};
  return {
    test: 'mann-whitney-u', status: 'ok', statistic: test.statistic, df: test.df, p_value: test.pValue, ...estimate, n_control: b.units, n_variant: a.units,
    details: {
      method: 'weighted-places', per: 'outcome', clustered: 'by-unit', standard_error: test.standardError,
      rank_biserial: 2 * test.commonLanguage - 1, common_language: test.commonLanguage, common_language_low: test.ci[0], common_language_high: test.ci[1],
    },
  };
}

/** A place is between 0 and twice the weight of the other arm. */
function placementsOf(own: WeightedSums, other: WeightedSums): {units: number; mean: number; variance: number} {
  const {mean, variance} = momentsOf(own, 2n * other.weight);
  return {units: own.units, mean: mean ?? 0, variance: variance ?? 0};
}

function momentsOf({units, sum, weight, sumSquares, weightSquares, cross}: WeightedSums, one = 1n): Moments {
  return ratioMomentsOf({
    n: units, numerator: sum, denominator: one * weight, numeratorSquares: sumSquares, denominatorSquares: one * one * weightSquares, cross: one * cross,
    numeratorScale: 0, denominatorScale: 0,
  });
}

function medianDifference(groups: ValueGroups, {control, variant}: WeighedArms): number {
  const [a, b] = [columnOf(weighedGroupsOf(groups, variant)), columnOf(weighedGroupsOf(groups, control))];
  return selectPair.medianDifference(a, b, a.total * b.total);
}

/** In the largest unit that all weights are whole numbers of: small numbers are counted exactly. */
function columnOf(groups: readonly WeightedValue[]): {values: Float64Array; counts: Float64Array; total: number} {
  const unit = groups.reduce((divisor, {weight}) => greatestCommonDivisor(divisor, weight), 0n);
  const counts = Float64Array.from(groups, ({weight}) => Number(weight / unit));
  return {values: Float64Array.from(groups, ({value}) => value), counts, total: counts.reduce((sum, count) => sum + count, 0)};
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b);
}
