import {describe, expect, test} from 'vitest';
import {seededRng} from '../../../src/core/rng.ts';
import {type ArmChange, withArmChanges} from '../../../src/warehouse/clickhouse/analysis-carried.ts';
import type {ArmColumns} from '../../../src/warehouse/clickhouse/arm-rows.ts';
import {columnsOf, NO_VALUES, type ValueChange, type ValueGroup, withChanges} from '../../../src/warehouse/value-groups.ts';

type Unit = {readonly sum: bigint; readonly n: number; readonly from: number; readonly to: number};
const NEVER = 9_000_000_000_000_000;
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

describe('what is carried from look to look equals a recount', () => {
  test.each(SEEDS)('distinct values after twenty steps, seed %i', seed => {
    const rng = seededRng(seed);
    let held: {readonly point: number; readonly variant: string}[] = [];
    let carried = NO_VALUES;
    let forgetful = NO_VALUES;
    for (let step = 0; step < 20; step += 1) {
      const gone = held.filter(() => rng.next() < 0.3);
      const added = Array.from({length: Math.floor(rng.next() * 12)}, () => ({point: Math.floor(rng.next() * 15) - 7, variant: rng.next() < 0.5 ? 'a' : 'b'}));
      held = [...held.filter(one => !gone.includes(one)), ...added];
      carried = withChanges(carried, changesOf(added, gone));
      forgetful = withChanges(forgetful, changesOf(added, []));
      expect(carried).toEqual(columnsOf(rowsOf(held)));
    }
    // The comparison sees a step that takes nothing back.
    expect(forgetful).not.toEqual(carried);
  });

  test.each(SEEDS)('sums of an arm after thirty steps, or a word that they must be asked for, seed %i', seed => {
    const rng = seededRng(seed);
    const unit = (): Unit => {
      const from = Math.floor(rng.next() * 1_000);
      return {sum: BigInt(Math.floor((rng.next() - 0.5) * 1e15)) * 10n ** 9n, n: 1 + Math.floor(rng.next() * 4), from, to: from + Math.floor(rng.next() * 1_000)};
    };
    let units = Array.from({length: 30}, unit);
    let carried: ArmColumns[] = [sumsOf(units)];
    let asked = 0;
    for (let step = 0; step < 30; step += 1) {
      const gone = units.filter(() => rng.next() < 0.05);
      const added = Array.from({length: 1 + Math.floor(rng.next() * 3)}, unit);
      units = [...units.filter(one => !gone.includes(one)), ...added];
      const changed = withArmChanges(carried, [changeOf(added, gone)]);
      if (changed === null) asked += 1;
      carried = changed ?? [sumsOf(units)];
      expect(carried).toEqual([sumsOf(units)]);
    }
    expect(asked).toBeLessThan(30);
  });

  test('an outcome taken back that was the earliest of its arm is a reason to ask again, and one that was not is none', () => {
    const [first, second, third] = [10, 20, 30].map((from): Unit => ({sum: 1n, n: 1, from, to: 50 - from}));
    if (first === undefined || second === undefined || third === undefined) throw new Error('three units');
    const known = [sumsOf([first, second, third])];
    expect(withArmChanges(known, [changeOf([], [first])])).toBeNull();
    expect(withArmChanges(known, [changeOf([], [second])])).toEqual([sumsOf([first, third])]);
  });
});

/** By plain loops, as a reference. */
function rowsOf(held: readonly {readonly point: number; readonly variant: string}[]): ValueGroup[] {
  const points = [...new Set(held.map(({point}) => point))].sort((a, b) => a - b);
  return points.map(value => {
    const counts: Record<string, number> = {};
    for (const {point, variant} of held) if (point === value) counts[variant] = (counts[variant] ?? 0) + 1;
    return {value, counts};
  });
}

function changesOf(added: readonly {readonly point: number; readonly variant: string}[], gone: readonly {readonly point: number; readonly variant: string}[]): ValueChange[] {
  const changes = new Map<string, {point: number; variant: string; change: number}>();
  for (const [sign, rows] of [[1, added], [-1, gone]] as const) {
    for (const {point, variant} of rows) {
      const one = changes.get(`${point} ${variant}`) ?? {point, variant, change: 0};
      changes.set(`${point} ${variant}`, {...one, change: one.change + sign});
    }
  }
  const some = [...changes.values()].filter(({change}) => change !== 0);
  return some.sort((a, b) => a.point - b.point || a.variant.localeCompare(b.variant)).map(one => ({...one, change: String(one.change)}));
}

const total = (units: readonly Unit[], of: (unit: Unit) => bigint): bigint => units.reduce((sum, unit) => sum + of(unit), 0n);

function sumsOf(units: readonly Unit[]): ArmColumns {
  return {
    variant: 'a',
    all_units_with_outcome: [String(units.length)],
    all_outcomes: [String(total(units, ({n}) => BigInt(n)))],
    all_sum_q: [String(total(units, ({sum}) => sum))],
    all_denominator_q: [String(total(units, ({n}) => BigInt(n)))],
    all_unit_sum_squares_q: [String(total(units, ({sum}) => sum * sum))],
    all_unit_denominator_squares_q: [String(total(units, ({n}) => BigInt(n * n)))],
    all_unit_cross_q: [String(total(units, ({sum, n}) => sum * BigInt(n)))],
    all_event_from: [String(Math.min(NEVER, ...units.map(({from}) => from)))],
    all_event_to: [String(Math.max(-1, ...units.map(({to}) => to)))],
  };
}

/** As analysis-arms-changed has it: sums now less sums before, times of each apart. */
function changeOf(added: readonly Unit[], gone: readonly Unit[]): ArmChange {
  const [now, before] = [sumsOf(added), sumsOf(gone)];
  const less = Object.entries(now).map(([name, values]) => [name, typeof values === 'string' ? values : values.map((value, i) => String(BigInt(value) - BigInt((Object.entries(before).find(([other]) => other === name)?.[1] ?? [])[i] ?? 0)))]);
  return {...now, ...Object.fromEntries(less), all_event_from: now.all_event_from, all_event_to: now.all_event_to, replaced_from: before.all_event_from, replaced_to: before.all_event_to};
}
