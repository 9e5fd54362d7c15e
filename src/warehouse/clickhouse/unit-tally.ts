import {firstPlace} from '../../core/ascending.ts';
import {assert} from '../../core/assert.ts';

/**
 * What the health of a running experiment asks of its units, kept from look to look: when they were first exposed and
 * how long their first outcome took, 16 bytes a unit. Every list is ascending.
 */
export type UnitTally = {
  /** By arm, crossovers under ''. */
  readonly arms: ReadonlyMap<string, FirstExposures>;
  /** From first exposure to first outcome, in ms, of units that have one. */
  readonly delays: Float64Array;
  /** Units that met a later phase only. */
  readonly later: number;
};

/** In ms, of units that have an outcome and of those that have none. */
type FirstExposures = {readonly answered: Float64Array; readonly open: Float64Array};

/** Crossovers under the arm ''. */
export type UnitCounts = {readonly arm: string; readonly units: string | number; readonly without_outcome: string | number; readonly due?: string | number; readonly due_without_outcome?: string | number; readonly grace?: string | number};

/** Units of an arm first exposed in a stretch of time that ends before `until`. */
export type UnitLook = {readonly until: string | number; readonly arm: string; readonly units: string | number};

export type TallyRow = {readonly variant: string; readonly is_crossover: boolean; readonly has_outcome: number; readonly firsts: readonly number[]; readonly delays: readonly number[]};

/** A unit as it is since a step (`sign` 1) or as it was before; `seen` is 0 without an outcome. */
export type TallyChange = {readonly sign: number; readonly variant: string; readonly is_crossover: boolean; readonly first: number; readonly seen: number};

type ListChange = {readonly value: number; readonly sign: number};

/** As `analysis-unit-counts` and `analysis-unit-looks` have them. */
const GRACE_SHARE = 0.99;
const STRETCHES = 200;

const NO_UNITS: FirstExposures = {answered: new Float64Array(0), open: new Float64Array(0)};

export function tallyOf(rows: readonly TallyRow[]): UnitTally {
  const seen = rows.filter(({variant}) => variant !== '');
  const joined = (lists: readonly (readonly number[])[]): Float64Array => {
    const all = new Float64Array(lists.reduce((sum, list) => sum + list.length, 0));
    let at = 0;
    for (const list of lists) {
      all.set(list, at);
      at += list.length;
    }
    return all.sort();
  };
  const firstsOf = (arm: string, hasOutcome: number): Float64Array => joined(seen.filter(row => armOf(row) === arm && row.has_outcome === hasOutcome).map(({firsts}) => firsts));
  return {
    arms: new Map([...new Set(seen.map(armOf))].sort().map(arm => [arm, {answered: firstsOf(arm, 1), open: firstsOf(arm, 0)}])),
    delays: joined(seen.map(({delays}) => delays)),
    later: rows.reduce((sum, {variant, firsts}) => sum + (variant === '' ? firsts.length : 0), 0),
  };
}

export function withUnitsChanged(tally: UnitTally, changes: readonly TallyChange[]): UnitTally {
  const seen = changes.filter(({variant}) => variant !== '');
  const firstsOf = (arm: string, hasOutcome: boolean): ListChange[] =>
    seen.flatMap(change => (armOf(change) === arm && change.seen > 0 === hasOutcome ? [{value: change.first, sign: change.sign}] : []));
  const arms = [...new Set([...tally.arms.keys(), ...seen.map(armOf)])].sort();
  return {
    arms: new Map(
      arms.map(arm => {
        const {answered, open} = tally.arms.get(arm) ?? NO_UNITS;
        return [arm, {answered: withListChanged(answered, firstsOf(arm, true)), open: withListChanged(open, firstsOf(arm, false))}];
      }),
    ),
    delays: withListChanged(tally.delays, seen.flatMap(one => (one.seen > 0 ? [{value: one.seen - one.first, sign: one.sign}] : []))),
    later: changes.reduce((sum, {variant, sign}) => sum + (variant === '' ? sign : 0), tally.later),
  };
}

export const sizeOfTally = ({arms, delays}: UnitTally): number =>
  [...arms.values()].reduce((sum, {answered, open}) => sum + answered.length + open.length, delays.length);

/** Whether no unit crossed over or met a later phase only. */
export function areAlone({arms, later}: UnitTally): boolean {
  const crossovers = arms.get('') ?? NO_UNITS;
  return later === 0 && crossovers.answered.length + crossovers.open.length === 0;
}

/** What `analysis-unit-counts` says. */
export function unitCountsOf({arms, delays}: UnitTally, cut: number): UnitCounts[] {
  const grace = delays[Math.floor(GRACE_SHARE * delays.length)] ?? 0;
  const dueOf = (firsts: Float64Array): number => placeAfter(firsts, cut - grace);
  return [...arms]
    .map(([arm, {answered, open}]) => ({
      arm, units: answered.length + open.length, without_outcome: open.length, due: dueOf(answered) + dueOf(open), due_without_outcome: dueOf(open), grace,
    }))
    .filter(({units}) => units > 0);
}

/** What `analysis-unit-looks` says. */
export function unitLooksOf({arms}: UnitTally): UnitLook[] {
  const lists = [...arms].filter(([arm]) => arm !== '').map(([arm, {answered, open}]) => ({arm, lists: [answered, open]}));
  const all = lists.flatMap(one => one.lists).filter(list => list.length > 0);
  if (all.length === 0) return [];
  const first = Math.min(...all.map(list => list[0] as number));
  const last = Math.max(...all.map(list => list[list.length - 1] as number));
  const step = Math.floor((last - first) / STRETCHES) + 1;
  const looks: UnitLook[] = [];
  const before = new Map(lists.map(({arm}) => [arm, 0]));
  for (let until = first + step; until - step <= last; until += step) {
    for (const {arm, lists: own} of lists) {
      const below = own.reduce((sum, list) => sum + placeAfter(list, until - 1), 0);
      const units = below - (before.get(arm) ?? 0);
      before.set(arm, below);
      if (units > 0) looks.push({until, arm, units});
    }
  }
  return looks;
}

const armOf = ({variant, is_crossover: isCrossover}: {readonly variant: string; readonly is_crossover: boolean}): string => (isCrossover ? '' : variant);

/** How many are not above `value`. */
const placeAfter = (ascending: Float64Array, value: number): number => firstPlace(0, ascending.length, at => (ascending[at] as number) > value);

/** Copied in stretches between what changes. */
function withListChanged(ascending: Float64Array, changes: readonly ListChange[]): Float64Array {
  if (changes.length === 0) return ascending;
  const nets = new Map<number, number>();
  for (const {value, sign} of changes) nets.set(value, (nets.get(value) ?? 0) + sign);
  const list = new Float64Array(ascending.length + changes.reduce((sum, {sign}) => sum + sign, 0));
  let [from, to] = [0, 0];
  for (const [value, net] of [...nets].sort(([a], [b]) => a - b)) {
    if (net === 0) continue;
    const place = placeAfter(ascending, value);
    const kept = Math.min(place, place + net);
    assert(kept >= from && (net > 0 || ascending[kept] === value), 'what a step takes back was counted before');
    list.set(ascending.subarray(from, kept), to);
    to += kept - from;
    from = place;
    if (net > 0) list.fill(value, to, to + net);
    to += Math.max(0, net);
  }
  list.set(ascending.subarray(from), to);
  return list;
}
