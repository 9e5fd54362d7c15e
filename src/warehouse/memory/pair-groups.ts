import {quantise} from '../../core/exact.ts';
import type {Metric} from '../../core/experiment.ts';
import {epochMs} from '../../core/units.ts';
import {type ItemSums, pairGroupsOf as groupsOf, type UnitSums} from '../exact-groups.ts';
import type {PairGroups} from '../warehouse.ts';
import type {ScopedValue} from './scoped-outcomes.ts';

type Sums = {sumQ: bigint; denominatorQ: bigint};
type Item = {readonly control: Sums; readonly variant: Sums; from: number; to: number};

/** Averages within (item, variant), then one difference per item that both arms answered. */
export function pairGroupsOf(
  values: readonly ScopedValue[],
  {control, variant, metric}: {readonly control: string; readonly variant: string; readonly metric: Metric},
): PairGroups {
  const items = new Map<string, Item>();
  for (const value of values) {
    const {itemId, eventTs} = value.outcome;
    if (itemId === null || (value.variant !== control && value.variant !== variant)) continue;
    const item = items.get(itemId) ?? {control: {sumQ: 0n, denominatorQ: 0n}, variant: {sumQ: 0n, denominatorQ: 0n}, from: eventTs, to: eventTs};
    add(value.variant === control ? item.control : item.variant, value, metric);
    item.from = Math.min(item.from, eventTs);
    item.to = Math.max(item.to, eventTs);
    items.set(itemId, item);
  }
  const rows = [...items.values()].map((item): ItemSums => ({
    control: item.control, variant: item.variant, items: 1, eventFrom: epochMs(item.from), eventTo: epochMs(item.to),
  }));
  return groupsOf(rows, metric);
}

/** One row per variant and unit. */
export function unitSumsOf(values: readonly ScopedValue[], metric: Metric): UnitSums[] {
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

function add(sums: Sums, {value, denominator}: ScopedValue, {aggregate, scale}: Metric): void {
  sums.sumQ += quantise(value, scale);
  sums.denominatorQ += aggregate === 'ratio' ? quantise(denominator, scale) : 1n;
}
