import {refuse} from './outcome.ts';
import {type Numbers, readCount, readNumbers, readReal, readRecord, requireFinite} from './read-input.ts';
import {describe} from './read-options.ts';

/** Distinct values, ascending, with how often each occurs: what a `GROUP BY value ORDER BY value` returns. */
export interface ValueCount {
  readonly value: number;
  readonly count: number;
}

export interface ValueCounts {
  readonly value: number;
  readonly nA: number;
  readonly nB: number;
}

/** The same as columns, for many values: 8 bytes a number. */
export interface CountColumns {
  readonly values: Float64Array;
  readonly counts: Float64Array;
}

export interface TwoCountColumns {
  readonly values: Float64Array;
  readonly countsA: Float64Array;
  readonly countsB: Float64Array;
}

/** Observations, or groups of them. */
export type OneSample = {readonly x: Numbers} | {readonly groups: readonly ValueCount[]} | {readonly columns: CountColumns};
export type TwoSamples =
  | {readonly a: Numbers; readonly b: Numbers}
  | {readonly groups: readonly ValueCounts[]}
  | {readonly columns: TwoCountColumns};

/** Columns of distinct ascending values. */
export interface Groups {
  readonly values: Float64Array;
  readonly counts: Float64Array;
  readonly n: number;
}

export interface PairedGroups {
  readonly values: Float64Array;
  readonly countsA: Float64Array;
  readonly countsB: Float64Array;
  readonly nA: number;
  readonly nB: number;
}

/** Reads one sample from `x`, `groups` or `columns`. */
export function readOneSample(input: unknown): Groups {
  const given = readRecord(input, 'input');
  if ('groups' in given) {
    const {values, columns} = readGroups(given['groups'], ['count']);
    const counts = columns[0] as Float64Array;
    return {values, counts, n: total(counts)};
  }
  if ('columns' in given) {
    const [values, counts] = readColumns(given['columns'], ['counts']) as [Float64Array, Float64Array];
    return {values, counts, n: total(counts)};
  }
  const x = readNumbers(given['x'], 'x');
  requireFinite(x, 'x');
  return groupSorted(x.sort());
}

/** Reads two independent samples from `a`, `b`, from `groups` or from `columns`. */
export function readTwoSamples(input: unknown): PairedGroups {
  const given = readRecord(input, 'input');
  if ('groups' in given) {
    const {values, columns} = readGroups(given['groups'], ['nA', 'nB']);
    const [countsA, countsB] = columns as [Float64Array, Float64Array];
    return {values, countsA, countsB, nA: total(countsA), nB: total(countsB)};
  }
  if ('columns' in given) {
    const [values, countsA, countsB] = readColumns(given['columns'], ['countsA', 'countsB']) as [Float64Array, Float64Array, Float64Array];
    return {values, countsA, countsB, nA: total(countsA), nB: total(countsB)};
  }
  const a = readNumbers(given['a'], 'a');
  const b = readNumbers(given['b'], 'b');
  requireFinite(a, 'a');
  requireFinite(b, 'b');
  return merge(groupSorted(a.sort()), groupSorted(b.sort()));
}

/** The groups of one arm; values that do not occur in it stay with count 0. */
export function armOf(groups: PairedGroups, arm: 'a' | 'b'): Groups {
  return arm === 'a'
    ? {values: groups.values, counts: groups.countsA, n: groups.nA}
    : {values: groups.values, counts: groups.countsB, n: groups.nB};
}

/** Both arms together. */
export function pool(groups: PairedGroups): Groups {
  const counts = groups.countsA.map((count, i) => count + (groups.countsB[i] as number));
  return {values: groups.values, counts, n: groups.nA + groups.nB};
}

function groupSorted(sorted: Float64Array): Groups {
  const values = new Float64Array(sorted.length);
  const counts = new Float64Array(sorted.length);
  let last = -1;
  for (let i = 0; i < sorted.length; i++) {
    // Adding 0 turns −0 into 0.
    const value = (sorted[i] as number) + 0;
    if (last < 0 || value !== values[last]) values[++last] = value;
    counts[last] = (counts[last] as number) + 1;
  }
  return {values: values.slice(0, last + 1), counts: counts.slice(0, last + 1), n: sorted.length};
}

function merge(a: Groups, b: Groups): PairedGroups {
  const size = a.values.length + b.values.length;
  const values = new Float64Array(size);
  const countsA = new Float64Array(size);
  const countsB = new Float64Array(size);
  let [i, j, g] = [0, 0, 0];
  for (; i < a.values.length || j < b.values.length; g++) {
    const nextA = a.values[i] ?? Number.POSITIVE_INFINITY;
    const nextB = b.values[j] ?? Number.POSITIVE_INFINITY;
    values[g] = Math.min(nextA, nextB);
    if (nextA <= nextB) countsA[g] = a.counts[i++] as number;
    if (nextB <= nextA) countsB[g] = b.counts[j++] as number;
  }
  return {
    values: values.slice(0, g),
    countsA: countsA.slice(0, g),
    countsB: countsB.slice(0, g),
    nA: a.n,
    nB: b.n,
  };
}

/** Columns of groups as given; ascending, each value once. */
function readGroups(
  given: unknown,
  columnNames: readonly string[],
): {values: Float64Array; columns: Float64Array[]} {
  if (!Array.isArray(given)) {
    return refuse(
      'invalid_argument',
      `groups is ${describe(given)}: it must be an array of {value, ${columnNames.join(', ')}}`,
    );
  }
  const values = new Float64Array(given.length);
  const columns = columnNames.map(() => new Float64Array(given.length));
  for (let g = 0; g < given.length; g++) {
    const field = `groups[${g}]`;
    const group = readRecord(given[g], field);
    const value = readReal(group['value'], `${field}.value`) + 0;
    if (g > 0 && !(value > (values[g - 1] as number))) refuseOrder(`${field}.value`, value, values[g - 1]);
    values[g] = value;
    columnNames.forEach((name, c) => {
      (columns[c] as Float64Array)[g] = readCount(group[name], `${field}.${name}`);
    });
  }
  return {values, columns};
}

/** Values, then counts, as they are: not copied. Names of elements are made only for those that are refused. */
function readColumns(given: unknown, names: readonly string[]): Float64Array[] {
  const record = readRecord(given, 'columns');
  const columns = ['values', ...names].map(name => {
    const column = record[name];
    return column instanceof Float64Array ? column : refuse('invalid_argument', `columns.${name} is ${describe(column)}: it must be a Float64Array`);
  });
  const [values, ...counts] = columns as [Float64Array, ...Float64Array[]];
  for (let g = 0; g < values.length; g++) {
    const value = values[g] as number;
    if (!Number.isFinite(value)) readReal(value, `columns.values[${g}]`);
    if (g > 0 && !(value > (values[g - 1] as number))) refuseOrder(`columns.values[${g}]`, value, values[g - 1]);
  }
  for (const [at, column] of counts.entries()) {
    const field = `columns.${names[at]}`;
    if (column.length !== values.length) refuse('invalid_argument', `${field} has ${column.length} elements: it must have one a value, which are ${values.length}`);
    for (let g = 0; g < column.length; g++) {
      const count = column[g] as number;
      if (!(count >= 0 && Number.isInteger(count))) readCount(count, `${field}[${g}]`);
    }
  }
  return columns;
}

const refuseOrder = (field: string, value: number, before: number | undefined): never =>
  refuse('invalid_argument', `${field} is ${value}, after ${before}: give each value once, ascending`);

function total(counts: Float64Array): number {
  let all = 0;
  for (let g = 0; g < counts.length; g++) all += counts[g] as number;
  return all;
}
