import {unquantise} from '../core/exact.ts';
import type {Metric} from '../core/experiment.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import type {PairGroups, ValueGroup} from './warehouse.ts';

/** From exact integer sums to the floating-point values that tests are made of: one division each. */
export type ExactMean = {readonly sumQ: bigint; readonly denominatorQ: bigint};

/** Units of one arm that have the same sums. */
export type UnitSums = ExactMean & {readonly variant: string; readonly units: number};

/** Items that have the same sums in both arms; a denominator of 0 says that the arm has no value. */
export type ItemSums = {
  readonly control: ExactMean;
  readonly variant: ExactMean;
  readonly items: number;
  readonly eventFrom: EpochMs;
  readonly eventTo: EpochMs;
};

/** Σ/n, or Σnumerator/Σdenominator of a ratio. */
export function meanOf({sumQ, denominatorQ}: ExactMean, metric: Metric): number {
  const denominator = metric.aggregate === 'ratio' ? unquantise(denominatorQ, metric.scale) : Number(denominatorQ);
  return unquantise(sumQ, metric.scale) / denominator + 0;
}

export function unitGroupsOf(rows: readonly UnitSums[], metric: Metric): ValueGroup[] {
  const groups = new Map<number, Record<string, number>>();
  for (const row of rows) {
    const value = meanOf(row, metric);
    const counts = groups.get(value) ?? {};
    counts[row.variant] = (counts[row.variant] ?? 0) + row.units;
    groups.set(value, counts);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([value, counts]) => ({value, counts}));
}

type Pair = {readonly control: number; readonly variant: number; readonly items: number};

export function pairGroupsOf(rows: readonly ItemSums[], metric: Metric): PairGroups {
  const count = (of: readonly ItemSums[]): number => of.reduce((sum, {items}) => sum + items, 0);
  const withControl = rows.filter(({control}) => control.denominatorQ !== 0n);
  const withVariant = rows.filter(({variant}) => variant.denominatorQ !== 0n);
  const both = withControl.filter(({variant}) => variant.denominatorQ !== 0n);
  const pairs = both
    .map(({control, variant, items}): Pair => ({control: meanOf(control, metric), variant: meanOf(variant, metric), items}))
    // In an order of their own, so that floating-point sums do not depend on the engine's.
    .sort((a, b) => a.control - b.control || a.variant - b.variant);
  const sum = (of: (pair: Pair) => number): number => pairs.reduce((total, pair) => total + of(pair) * pair.items, 0);
  return {
    pairs: count(both),
    itemsControl: count(withControl),
    itemsVariant: count(withVariant),
    itemsEither: count(withControl) + count(withVariant) - count(both),
    sumControl: sum(({control}) => control),
    sumVariant: sum(({variant}) => variant),
    sumSquaresControl: sum(({control}) => control ** 2),
    sumSquaresVariant: sum(({variant}) => variant ** 2),
    differences: differencesOnGrid(pairs),
    eventFrom: both.length === 0 ? null : epochMs(both.reduce((least, {eventFrom}) => Math.min(least, eventFrom), Number.MAX_SAFE_INTEGER)),
    eventTo: both.length === 0 ? null : epochMs(both.reduce((most, {eventTo}) => Math.max(most, eventTo), Number.MIN_SAFE_INTEGER)),
  };
}

/** The decimal grid of cases/stats: 0.85 − 0.83 and 0.82 − 0.80 are one difference. */
function differencesOnGrid(pairs: readonly Pair[]): {difference: number; count: number}[] {
  const largest = pairs.reduce((most, {control, variant}) => Math.max(most, Math.abs(control), Math.abs(variant)), 0);
  const digits = largest === 0 ? 0 : 15 - Math.ceil(Math.log10(largest));
  const counts = new Map<number, number>();
  for (const {control, variant, items} of pairs) {
    const difference = roundTo(variant - control, digits);
    counts.set(difference, (counts.get(difference) ?? 0) + items);
  }
  return [...counts].sort(([a], [b]) => a - b).map(([difference, count]) => ({difference, count}));
}

/** `value` rounded to `digits` decimals (negative: to tens, hundreds, …). */
function roundTo(value: number, digits: number): number {
  if (digits > 100) return value;
  if (digits >= 0) return Number(value.toFixed(digits)) + 0;
  const unit = 10 ** -digits;
  return Math.round(value / unit) * unit + 0;
}
