import {describe, expect, test} from 'vitest';
import {seededRng} from '../../../src/core/rng.ts';
import {areAlone, type TallyChange, type TallyRow, tallyOf, type UnitTally, unitCountsOf, unitLooksOf, withUnitsChanged} from '../../../src/warehouse/clickhouse/unit-tally.ts';

type Unit = {variant: string; is_crossover: boolean; first: number; seen: number};

const SEED = Number(process.env['SEED'] ?? 20);

describe(`units kept from look to look (SEED=${SEED})`, () => {
  test.each([1, 2, 3, 4])('what steps changed adds up to what all units say (history %i)', seed => {
    const rng = seededRng(SEED * 100 + seed);
    const below = (n: number): number => Math.floor(rng.next() * n);
    const some = (): Unit => {
      const first = below(2) === 0 ? below(40) : below(5_000);
      return {variant: ['', 'a', 'b', 'c'][below(4)] ?? '', is_crossover: below(8) === 0, first, seen: below(2) === 0 ? 0 : first + 1 + below(300)};
    };
    const units = Array.from({length: 400}, some);
    let tally = tallyOf(rowsOf(units));
    for (let step = 0; step < 20; step += 1) {
      const changes: TallyChange[] = [];
      for (let n = below(60); n > 0; n -= 1) {
        const at = below(units.length + 10);
        const [was, is] = [units[at], some()];
        if (was !== undefined) changes.push({sign: -1, ...was});
        changes.push({sign: 1, ...is});
        units[Math.min(at, units.length)] = is;
      }
      tally = withUnitsChanged(tally, changes);
      expectSame(tally, units);
    }
  });

  test('counts and stretches are those of the units themselves', () => {
    const rng = seededRng(SEED);
    const units: Unit[] = Array.from({length: 1_000}, (_, n) => {
      const first = 1_000 + Math.floor(rng.next() * 100_000);
      return {variant: n % 3 === 0 ? 'a' : 'b', is_crossover: n % 50 === 0, first, seen: n % 4 === 0 ? 0 : first + 1 + Math.floor(rng.next() * 9_000)};
    });
    const tally = tallyOf(rowsOf(units));
    const cut = 60_000;
    const delays = units.filter(({seen}) => seen > 0).map(({first, seen}) => seen - first).sort((a, b) => a - b);
    const grace = delays[Math.trunc(0.99 * delays.length)] ?? 0;
    const own = (arm: string): Unit[] => units.filter(one => (one.is_crossover ? '' : one.variant) === arm);
    expect(unitCountsOf(tally, cut)).toEqual(['', 'a', 'b'].map(arm => {
      const due = own(arm).filter(({first}) => first <= cut - grace);
      return {arm, units: own(arm).length, without_outcome: own(arm).filter(({seen}) => seen === 0).length, due: due.length, due_without_outcome: due.filter(({seen}) => seen === 0).length, grace};
    }));
    const firsts = [...own('a'), ...own('b')].map(({first}) => first);
    const [from, to] = [Math.min(...firsts), Math.max(...firsts)];
    const length = Math.trunc((to - from) / 200) + 1;
    const byStretch = new Map<string, number>();
    for (const arm of ['a', 'b']) {
      for (const {first} of own(arm)) {
        const name = `${from + (Math.trunc((first - from) / length) + 1) * length} ${arm}`;
        byStretch.set(name, (byStretch.get(name) ?? 0) + 1);
      }
    }
    const looks = unitLooksOf(tally);
    expect(new Map(looks.map(({until, arm, units: n}) => [`${until} ${arm}`, n]))).toEqual(byStretch);
    expect(looks.map(({until}) => Number(until))).toEqual(looks.map(({until}) => Number(until)).sort((a, b) => a - b));
  });

  test('a unit is alone until one crosses over or met a later phase only', () => {
    const unit: Unit = {variant: 'a', is_crossover: false, first: 5, seen: 9};
    const tally = tallyOf(rowsOf([unit]));
    expect(areAlone(tally)).toBe(true);
    const crossed = withUnitsChanged(tally, [{sign: -1, ...unit}, {sign: 1, ...unit, is_crossover: true, seen: 0}]);
    expect(areAlone(crossed)).toBe(false);
    expect(areAlone(withUnitsChanged(crossed, [{sign: -1, ...unit, is_crossover: true, seen: 0}]))).toBe(true);
    expect(areAlone(withUnitsChanged(tally, [{sign: 1, ...unit, variant: ''}]))).toBe(false);
  });

  test('nothing is taken back that was not counted', () => {
    const tally = tallyOf(rowsOf([{variant: 'a', is_crossover: false, first: 5, seen: 9}]));
    expect(() => withUnitsChanged(tally, [{sign: -1, variant: 'a', is_crossover: false, first: 6, seen: 9}])).toThrow('counted before');
  });

  test('without units there is nothing to say', () => {
    const tally = tallyOf([]);
    expect(unitCountsOf(tally, 0)).toEqual([]);
    expect(unitLooksOf(tally)).toEqual([]);
  });
});

function expectSame(tally: UnitTally, units: readonly Unit[]): void {
  const whole = tallyOf(rowsOf(units));
  expect(tally.delays).toEqual(whole.delays);
  expect(tally.later).toBe(whole.later);
  for (const [arm, firsts] of whole.arms) expect(tally.arms.get(arm)).toEqual(firsts);
  expect(unitCountsOf(tally, 2_000)).toEqual(unitCountsOf(whole, 2_000));
  expect(unitLooksOf(tally)).toEqual(unitLooksOf(whole));
}

/** As the engine gives them, in no order. */
function rowsOf(units: readonly Unit[]): TallyRow[] {
  const groups = new Map<string, Unit[]>();
  for (const unit of units) {
    const name = JSON.stringify([unit.variant, unit.is_crossover, unit.seen > 0]);
    groups.set(name, [...(groups.get(name) ?? []), unit]);
  }
  return [...groups.values()].map(group => {
    const [{variant, is_crossover, seen}] = group as [Unit];
    return {variant, is_crossover, has_outcome: seen > 0 ? 1 : 0, firsts: group.map(({first}) => first), delays: group.flatMap(one => (one.seen > 0 ? [one.seen - one.first] : []))};
  });
}
