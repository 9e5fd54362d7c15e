import type {CountColumns, TwoCountColumns} from '../stats/groups.ts';
import {orderStatistics} from '../stats/order-statistics.ts';
import {type WeightedQuantiles, weightedQuantiles, type WeightedValue} from '../stats/weighted-quantile-difference.ts';
import type {ValueGroups} from '../warehouse/value-groups.ts';

/** Quantiles of one arm's values, empty when the arm has none: type 7, or where outcomes have several weights of what they stand for. */
export function quantilesOf(groups: ValueGroups, variant: string, ps: readonly number[]): number[] {
  if (isWeighing(groups)) {
    const weighted = weightedQuantilesOf(groups, variant);
    return weighted === null ? [] : ps.map(p => weighted.quantile(p));
  }
  return columnQuantiles(armColumns(groups, variant), ps);
}

/** Type 7; empty without values. */
export function columnQuantiles({values, counts}: CountColumns, ps: readonly number[]): number[] {
  if (values.length === 0) return [];
  const ranks = orderStatistics({values, counts, n: counts.reduce((sum, count) => sum + count, 0)});
  return ps.map(p => ranks.quantile(p));
}

/** The values of one arm. */
export function armColumns({values, counts}: ValueGroups, variant: string): CountColumns {
  const own = counts[variant];
  if (own === undefined) return {values: new Float64Array(0), counts: new Float64Array(0)};
  return {values: values.filter((_, at) => own[at] !== 0), counts: own.filter(count => count !== 0)};
}

/** Two arms in the form tests take; values of other variants fall out. */
export function twoArms({values, counts}: ValueGroups, {a, b}: {readonly a: string; readonly b: string}): TwoCountColumns {
  const none = new Float64Array(values.length);
  const [countsA, countsB] = [counts[a] ?? none, counts[b] ?? none];
  const isAny = (_: number, at: number): boolean => countsA[at] !== 0 || countsB[at] !== 0;
  if (values.every(isAny)) return {values, countsA, countsB};
  return {values: values.filter(isAny), countsA: countsA.filter(isAny), countsB: countsB.filter(isAny)};
}

export const isWeighing = ({weights}: ValueGroups): boolean => weights !== undefined;

/** The values of one arm with what their outcomes stand for. */
export function weighedGroupsOf({values, weights}: ValueGroups, variant: string): WeightedValue[] {
  return (weights?.[variant] ?? []).map((weight, at) => ({value: values[at] as number, weight})).filter(({weight}) => weight > 0n);
}

/** null when the arm has no values. */
export function weightedQuantilesOf(groups: ValueGroups, variant: string): WeightedQuantiles | null {
  const own = weighedGroupsOf(groups, variant);
  return own.length === 0 ? null : weightedQuantiles(own);
}
