import {type EpochMs, epochMs} from '../../core/units.ts';
import type {PairGroups} from '../warehouse.ts';
import type {ScopedValue} from './scoped-outcomes.ts';

type Mean = {sum: number; n: number};

/** Averages within (item, variant), then one difference per item that both arms answered. */
export function pairGroupsOf(
  values: readonly ScopedValue[],
  arms: {readonly control: string; readonly variant: string},
): PairGroups {
  const control = itemMeans(values, arms.control);
  const variant = itemMeans(values, arms.variant);
  const pairs = [...control].flatMap(([item, c]) => {
    const v = variant.get(item);
    return v === undefined ? [] : [{item, c, v}];
  });
  const grid = gridOf(pairs.flatMap(({c, v}) => [c, v]));
  const counts = new Map<number, number>();
  for (const {c, v} of pairs) {
    const difference = onGrid(v - c, grid);
    counts.set(difference, (counts.get(difference) ?? 0) + 1);
  }
  const items = new Set(pairs.map(({item}) => item));
  const times = values.filter(({outcome}) => outcome.itemId !== null && items.has(outcome.itemId)).map(v => v.outcome.eventTs);
  const sum = (of: (pair: {c: number; v: number}) => number): number => pairs.reduce((total, pair) => total + of(pair), 0);
  return {
    pairs: pairs.length,
    itemsControl: control.size,
    itemsVariant: variant.size,
    itemsEither: new Set([...control.keys(), ...variant.keys()]).size,
    sumControl: sum(({c}) => c),
    sumVariant: sum(({v}) => v),
    sumSquaresControl: sum(({c}) => c * c),
    sumSquaresVariant: sum(({v}) => v * v),
    differences: [...counts].sort(([a], [b]) => a - b).map(([difference, count]) => ({difference, count})),
    eventFrom: extreme(times, Math.min),
    eventTo: extreme(times, Math.max),
  };
}

function itemMeans(values: readonly ScopedValue[], variant: string): Map<string, number> {
  const means = new Map<string, Mean>();
  for (const {outcome, variant: of, value} of values) {
    if (of !== variant || outcome.itemId === null) continue;
    const {sum, n} = means.get(outcome.itemId) ?? {sum: 0, n: 0};
    means.set(outcome.itemId, {sum: sum + value, n: n + 1});
  }
  return new Map([...means].map(([item, {sum, n}]) => [item, sum / n]));
}

/** Decimal digits after the point: 15 significant ones of the largest value. */
function gridOf(values: readonly number[]): number {
  const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return largest === 0 ? 0 : 15 - Math.ceil(Math.log10(largest));
}

function onGrid(value: number, digits: number): number {
  const rounded = digits > 100 || digits < 0 ? value : Number(value.toFixed(Math.min(100, digits)));
  return rounded + 0;
}

function extreme(times: readonly EpochMs[], choose: (a: number, b: number) => number): EpochMs | null {
  const [first] = times;
  return first === undefined ? null : epochMs(times.reduce<number>((a, b) => choose(a, b), first));
}
