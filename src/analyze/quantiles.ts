import {type OrderStatistics, orderStatistics} from '../stats/order-statistics.ts';
import type {ValueGroup} from '../warehouse/warehouse.ts';

/** Type-7 quantiles of one arm's values; empty when the arm has none. */
export function quantilesOf(groups: readonly ValueGroup[], variant: string, ps: readonly number[]): number[] {
  const ranks = ranksOf(groupsOf(groups, variant));
  return ranks === null ? [] : ps.map(p => ranks.quantile(p));
}

/** The values of one arm. */
export function groupsOf(groups: readonly ValueGroup[], variant: string): {value: number; count: number}[] {
  return groups.map(({value, counts}) => ({value, count: counts[variant] ?? 0})).filter(group => group.count > 0);
}

function ranksOf(groups: readonly {readonly value: number; readonly count: number}[]): OrderStatistics | null {
  if (groups.length === 0) return null;
  const counts = Float64Array.from(groups, group => group.count);
  const values = Float64Array.from(groups, group => group.value);
  return orderStatistics({values, counts, n: counts.reduce((sum, count) => sum + count, 0)});
}
