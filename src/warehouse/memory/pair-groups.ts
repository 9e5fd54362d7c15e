import {quantise, roundHalfEven} from '../../core/exact.ts';
import type {Metric} from '../../core/experiment.ts';
import {gridDigits, itemMean, pairGroupsOf as groupsOf, type PairSteps, type UnitSums} from '../exact-groups.ts';
import type {PairGroups} from '../warehouse.ts';
import {type EventWeights, outcomeWeight} from './event-weights.ts';
import type {ScopedValue} from './scoped-outcomes.ts';

/** Of events that have several: then sums are weighted, which cancels in a mean. */
type Weighted = {readonly weights: EventWeights | null};
type Sums = {sumQ: bigint; denominatorQ: bigint};
type Item = {readonly control: Sums; readonly variant: Sums; unit: string | null};
type Pair = {readonly control: number; readonly variant: number; readonly cluster: string};

/** Averages within (item, variant), then one difference per item that both arms answered. */
export function pairGroupsOf(
  values: readonly ScopedValue[],
  {control, variant, metric, weights, listedMax}: {readonly control: string; readonly variant: string; readonly metric: Metric; readonly weights: EventWeights | null; readonly listedMax: number},
): PairGroups {
  const items = new Map<string, Item>();
  for (const value of values) {
    const {itemId, unitId} = value.outcome;
    if (itemId === null || (value.variant !== control && value.variant !== variant)) continue;
    const item = items.get(itemId) ?? {control: {sumQ: 0n, denominatorQ: 0n}, variant: {sumQ: 0n, denominatorQ: 0n}, unit: unitId};
    add(value.variant === control ? item.control : item.variant, value, {...metric, weights});
    if (unitId !== item.unit) item.unit = null;
    items.set(itemId, item);
  }
  const all = [...items].map(([itemId, item]) => ({...item, cluster: JSON.stringify([item.unit === null ? 'item' : 'unit', item.unit ?? itemId])}));
  const has = (of: (item: Item) => Sums) => all.filter(item => of(item).denominatorQ !== 0n);
  const withControl = has(item => item.control);
  const both = withControl.filter(item => item.variant.denominatorQ !== 0n);
  const withVariant = has(item => item.variant);
  const pairs = both.map(item => ({control: itemMean(item.control, metric), variant: itemMean(item.variant, metric), cluster: item.cluster}));
  return groupsOf({
    pairs: pairs.length,
    itemsControl: withControl.length,
    itemsVariant: withVariant.length,
    itemsEither: withControl.length + withVariant.length - pairs.length,
    ...stepsOf(pairs, listedMax),
  });
}

type Steps = Omit<PairSteps, 'pairs' | 'itemsControl' | 'itemsVariant' | 'itemsEither'>;

function stepsOf(pairs: readonly Pair[], listedMax: number): Steps {
  const digits = gridDigits(pairs.reduce((most, pair) => Math.max(most, Math.abs(pair.control), Math.abs(pair.variant)), 0));
  const onGrid = (value: number): number => roundHalfEven(value * 10 ** digits) + 0;
  const steps = pairs.map(pair => onGrid(pair.variant - pair.control));
  const counts = new Map<number, number>();
  for (const step of steps) counts.set(step, (counts.get(step) ?? 0) + 1);
  const distinct = [...counts].sort(([a], [b]) => a - b);
  const isListed = distinct.length <= listedMax;
  return {
    digits,
    wins: steps.filter(step => step > 0).length,
    ties: steps.filter(step => step === 0).length,
    losses: steps.filter(step => step < 0).length,
    difference: sumsOf(steps),
    control: sumsOf(pairs.map(pair => onGrid(pair.control))),
    variant: sumsOf(pairs.map(pair => onGrid(pair.variant))),
    clusters: clustersOf(steps, pairs.map(pair => pair.cluster)),
    groups: isListed ? {steps: Float64Array.from(distinct, ([step]) => step), counts: Float64Array.from(distinct, ([, count]) => count)} : null,
    ranks: isListed ? null : ranksOf(distinct),
  };
}

function sumsOf(steps: readonly number[]): PairGroups['difference'] {
  let [total, squares] = [0n, 0n];
  for (const step of steps.map(BigInt)) {
    total += step;
    squares += step * step;
  }
  return {total, squares};
}

function clustersOf(steps: readonly number[], names: readonly string[]): PairGroups['clusters'] {
  const byUnit = new Map<string, {total: bigint; pairs: bigint}>();
  for (const [index, step] of steps.entries()) {
    const unit = names[index] ?? '';
    const {total, pairs} = byUnit.get(unit) ?? {total: 0n, pairs: 0n};
    byUnit.set(unit, {total: total + BigInt(step), pairs: pairs + 1n});
  }
  let [squares, cross, sizes] = [0n, 0n, 0n];
  for (const {total, pairs} of byUnit.values()) {
    squares += total * total;
    cross += total * pairs;
    sizes += pairs * pairs;
  }
  return {count: byUnit.size, squares, cross, sizes};
}

/** Mid-ranks by size, doubled so that they are whole. */
function ranksOf(distinct: readonly (readonly [step: number, count: number])[]): NonNullable<PairGroups['ranks']> {
  const bySize = new Map<number, {plus: number; all: number}>();
  for (const [step, count] of distinct) {
    if (step === 0) continue;
    const group = bySize.get(Math.abs(step)) ?? {plus: 0, all: 0};
    bySize.set(Math.abs(step), {plus: group.plus + (step > 0 ? count : 0), all: group.all + count});
  }
  let [before, doubledPlus, tieTerm] = [0n, 0n, 0n];
  for (const [, group] of [...bySize].sort(([a], [b]) => a - b)) {
    const [plus, all] = [BigInt(group.plus), BigInt(group.all)];
    doubledPlus += plus * (2n * before + all + 1n);
    tieTerm += all ** 3n - all;
    before += all;
  }
  return {nonZero: Number(before), doubledPlus, tieTerm};
}

/** One row per variant and unit. */
export function unitSumsOf(values: readonly ScopedValue[], metric: Metric & Weighted): UnitSums[] {
  const units = new Map<string, Sums & {readonly variant: string}>();
  for (const value of values) {
    // In design `paired` a unit may have outcomes in several variants.
    const key = JSON.stringify([value.variant, value.outcome.unitId]);
    const unit = units.get(key) ?? {variant: value.variant, sumQ: 0n, denominatorQ: 0n};
    add(unit, value, metric);
    units.set(key, unit);
  }
  return [...units.values()].filter(({denominatorQ}) => denominatorQ !== 0n).map(unit => ({...unit, units: 1}));
}

function add(sums: Sums, {outcome, value, denominator}: ScopedValue, {aggregate, scale, weights}: Metric & Weighted): void {
  const weight = weights === null ? 1n : BigInt(outcomeWeight(outcome, weights));
  sums.sumQ += weight * quantise(value, scale);
  sums.denominatorQ += weight * (aggregate === 'ratio' ? quantise(denominator, scale) : 1n);
}
