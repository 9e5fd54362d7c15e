import type {ValueGroup} from '../value-groups.ts';
import type {WeightedSums} from '../warehouse.ts';
import {type EventWeights, outcomeWeight} from './event-weights.ts';
import type {ScopedValue} from './scoped-outcomes.ts';

/** Distinct values with how often each arm has them, and what those weigh. */
export function weightedGroups(values: readonly ScopedValue[], weights: EventWeights): ValueGroup[] {
  const groups = new Map<number, {counts: Record<string, number>; weights: Record<string, bigint>}>();
  for (const {outcome, variant, value} of values) {
    const group = groups.get(value) ?? {counts: {}, weights: {}};
    group.counts[variant] = (group.counts[variant] ?? 0) + 1;
    group.weights[variant] = (group.weights[variant] ?? 0n) + BigInt(outcomeWeight(outcome, weights));
    groups.set(value, group);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([value, group]) => ({value, ...group}));
}

/** By plain loops: Σw of the outcomes at or below the arm's value. */
export function weightedShares(values: readonly ScopedValue[], weights: EventWeights, at: Readonly<Record<string, number>>): WeightedSums[] {
  const own = values.filter(({variant}) => at[variant] !== undefined);
  return sumsOver(own, weights, ({variant, value}) => (value <= (at[variant] as number) ? 1n : 0n));
}

export function weightedPlaces(values: readonly ScopedValue[], weights: EventWeights, {control, variant}: {readonly control: string; readonly variant: string}): WeightedSums[] {
  const own = values.filter(one => one.variant === control || one.variant === variant);
  const places = new Map<string, Map<number, bigint>>();
  for (const [arm, other] of [[control, variant], [variant, control]] as const) {
    let below = 0n;
    const ladder = new Map<number, bigint>();
    for (const {value, weights: at} of weightedGroups(own, weights)) {
      const tied = at?.[other] ?? 0n;
      ladder.set(value, 2n * below + tied);
      below += tied;
    }
    places.set(arm, ladder);
  }
  return sumsOver(own, weights, one => places.get(one.variant)?.get(one.value) ?? 0n);
}

function sumsOver(values: readonly ScopedValue[], weights: EventWeights, times: (value: ScopedValue) => bigint): WeightedSums[] {
  const arms = new Map<string, Map<string, {s: bigint; d: bigint}>>();
  for (const value of values) {
    const weight = BigInt(outcomeWeight(value.outcome, weights));
    const units = arms.get(value.variant) ?? new Map<string, {s: bigint; d: bigint}>();
    const unit = units.get(value.outcome.unitId) ?? {s: 0n, d: 0n};
    unit.s += weight * times(value);
    unit.d += weight;
    arms.set(value.variant, units.set(value.outcome.unitId, unit));
  }
  return [...arms].sort(([a], [b]) => (a < b ? -1 : 1)).map(([variant, units]) => {
    const total = (of: (unit: {s: bigint; d: bigint}) => bigint): bigint => [...units.values()].reduce((sum, unit) => sum + of(unit), 0n);
    return {
      variant, units: units.size, sum: total(({s}) => s), weight: total(({d}) => d),
      sumSquares: total(({s}) => s * s), weightSquares: total(({d}) => d * d), cross: total(({s, d}) => s * d),
    };
  });
}
