import {firstPlace} from '../core/ascending.ts';

/** Distinct values of arms, ascending, as columns: of a million of them rows would be a million objects to collect. */
export type ValueGroups = {
  readonly values: Float64Array;
  /** By variant key, of arms that have any: how often each value occurs. */
  readonly counts: Readonly<Record<string, Float64Array>>;
  /** In millionths, by variant key, where events have several weights. */
  readonly weights?: Readonly<Record<string, readonly bigint[]>>;
};

/** One value; `weights` of all rows or of none. */
export type ValueGroup = {readonly value: number; readonly counts: Readonly<Record<string, number>>; readonly weights?: Readonly<Record<string, bigint>>};

export const NO_VALUES: ValueGroups = {values: new Float64Array(0), counts: {}};

/** @param rows ascending */
export function columnsOf(rows: readonly ValueGroup[]): ValueGroups {
  const arms = [...new Set(rows.flatMap(({counts}) => Object.keys(counts)))].sort();
  const counts = Object.fromEntries(arms.map(arm => [arm, Float64Array.from(rows, row => row.counts[arm] ?? 0)]));
  const values = Float64Array.from(rows, ({value}) => value);
  if (rows[0]?.weights === undefined) return {values, counts};
  return {values, counts, weights: Object.fromEntries(arms.map(arm => [arm, rows.map(({weights}) => weights?.[arm] ?? 0n)]))};
}

/** Values and counts side by side, without arms that have none. */
export function groupsOfColumns(values: Float64Array, counts: Readonly<Record<string, Float64Array>>): ValueGroups {
  return {values, counts: Object.fromEntries(Object.entries(counts).filter(([, column]) => column.some(count => count !== 0)))};
}

/** How often a value occurs in a variant more than before. */
export type ValueChange = {readonly point: number; readonly variant: string; readonly change: string};

/** Groups after changes, which are ascending too. A value that no arm has any more falls out. */
export function withChanges({values, counts}: ValueGroups, changes: readonly ValueChange[]): ValueGroups {
  if (changes.length === 0) return {values, counts};
  const arms = [...new Set([...Object.keys(counts), ...changes.map(({variant}) => variant)])].sort();
  const size = values.length + changes.length;
  const merged = new Float64Array(size);
  const known = arms.map(arm => counts[arm] ?? new Float64Array(values.length));
  const columns = arms.map(() => new Float64Array(size));
  const columnOf = new Map(arms.map((arm, at) => [arm, columns[at] as Float64Array]));
  let [from, to] = [0, 0];
  const keep = (end: number): void => {
    merged.set(values.subarray(from, end), to);
    for (const [at, column] of columns.entries()) column.set((known[at] as Float64Array).subarray(from, end), to);
    to += end - from;
    from = end;
  };
  for (let next = 0; next < changes.length; ) {
    const point = (changes[next] as ValueChange).point;
    const place = firstPlace(from, values.length, at => (values[at] as number) >= point);
    keep(place);
    merged[to] = point;
    const isKnown = values[place] === point;
    if (isKnown) for (const [at, column] of columns.entries()) column[to] = (known[at] as Float64Array)[place] as number;
    from = isKnown ? place + 1 : place;
    for (; changes[next]?.point === point; next += 1) {
      const {variant, change} = changes[next] as ValueChange;
      const column = columnOf.get(variant) as Float64Array;
      column[to] = (column[to] as number) + Number(change);
    }
    if (columns.some(column => column[to] !== 0)) to += 1;
    else for (const column of columns) column[to] = 0;
  }
  keep(values.length);
  return groupsOfColumns(merged.slice(0, to), Object.fromEntries(arms.map((arm, at) => [arm, (columns[at] as Float64Array).slice(0, to)])));
}
