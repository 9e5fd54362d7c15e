import {type OrderStatistics, orderStatistics} from '../stats/order-statistics.ts';
import {type WeightedQuantiles, weightedQuantiles, type WeightedValue} from '../stats/weighted-quantile-difference.ts';
import type {ValueGroup} from '../warehouse/warehouse.ts';

/** Quantiles of one arm's values, empty when the arm has none: type 7, or where outcomes have several weights of what they stand for. */
export function quantilesOf(groups: readonly ValueGroup[], variant: string, ps: readonly number[]): number[] {
  const ranks = isWeighing(groups) ? weightedQuantilesOf(groups, variant) : ranksOf(groupsOf(groups, variant));
  return ranks === null ? [] : ps.map(p => ranks.quantile(p));
}

/** The values of one arm. */
export function groupsOf(groups: readonly ValueGroup[], variant: string): {value: number; count: number}[] {
  return groups.map(({value, counts}) => ({value, count: counts[variant] ?? 0})).filter(group => group.count > 0);
}

export const isWeighing = (groups: readonly ValueGroup[]): boolean => groups[0]?.weights !== undefined;

/** The values of one arm with what their outcomes stand for. */
export function weighedGroupsOf(groups: readonly ValueGroup[], variant: string): WeightedValue[] {
  return groups.map(({value, weights}) => ({value, weight: weights?.[variant] ?? 0n})).filter(({weight}) => weight > 0n);
}

/** null when the arm has no values. */
export function weightedQuantilesOf(groups: readonly ValueGroup[], variant: string): WeightedQuantiles | null {
  const own = weighedGroupsOf(groups, variant);
  return own.length === 0 ? null : weightedQuantiles(own);
}

function ranksOf(groups: readonly {readonly value: number; readonly count: number}[]): OrderStatistics | null {
  if (groups.length === 0) return null;
  const counts = Float64Array.from(groups, group => group.count);
  const values = Float64Array.from(groups, group => group.value);
  return orderStatistics({values, counts, n: counts.reduce((sum, count) => sum + count, 0)});
}
