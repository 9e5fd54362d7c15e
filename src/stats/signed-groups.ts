import {decimalGrid} from './decimal-grid.ts';
import {refuse} from './outcome.ts';
import {
  type Numbers,
  readCount,
  readNumbers,
  readReal,
  readRecord,
  requireFinite,
  requireSameLength,
} from './read-input.ts';
import {describe} from './read-options.ts';
import {largestMagnitude} from './scale.ts';

/** Pairs, their differences a − b, or how often each difference occurs. */
export type DifferenceInput =
  | {readonly a: Numbers; readonly b: Numbers}
  | {readonly differences: Numbers}
  | {readonly groups: readonly {readonly difference: number; readonly count: number}[]};

/** Differences on the decimal grid, grouped by their distance from zero, ascending. */
export interface SignedGroups {
  readonly n: number;
  readonly zeros: number;
  readonly nonZero: number;
  readonly magnitudes: Float64Array;
  readonly positive: Float64Array;
  readonly negative: Float64Array;
}

export function readDifferences(input: unknown): SignedGroups {
  const given = readRecord(input, 'input');
  if ('groups' in given) return fromGroups(given['groups']);
  if ('differences' in given) {
    const differences = readNumbers(given['differences'], 'differences');
    requireFinite(differences, 'differences');
    return toGroups(differences, undefined, largestMagnitude(differences));
  }
  const a = readNumbers(given['a'], 'a');
  const b = readNumbers(given['b'], 'b');
  requireSameLength(a, b, 'a and b');
  requireFinite(a, 'a');
  requireFinite(b, 'b');
  const differences = a.map((value, i) => value - (b[i] as number));
  requireFinite(differences, 'a − b');
  return toGroups(differences, undefined, largestMagnitude(a, b));
}

/** Signed differences, ascending, with their counts. */
export function ascending(groups: SignedGroups): {values: Float64Array; counts: Float64Array} {
  const values: number[] = [];
  const counts: number[] = [];
  const add = (value: number, count: number): void => {
    if (count === 0) return;
    values.push(value);
    counts.push(count);
  };
  for (let g = groups.magnitudes.length - 1; g >= 0; g--)
    add(-(groups.magnitudes[g] as number), groups.negative[g] as number);
  add(0, groups.zeros);
  for (let g = 0; g < groups.magnitudes.length; g++)
    add(groups.magnitudes[g] as number, groups.positive[g] as number);
  return {values: Float64Array.from(values), counts: Float64Array.from(counts)};
}

function fromGroups(given: unknown): SignedGroups {
  if (!Array.isArray(given)) {
    return refuse(
      'invalid_argument',
      `groups is ${describe(given)}: it must be an array of {difference, count}`,
    );
  }
  const differences = new Float64Array(given.length);
  const counts = new Float64Array(given.length);
  for (let g = 0; g < given.length; g++) {
    const {difference, count} = (given[g] ?? {}) as {difference?: unknown; count?: unknown};
    // A name for each of a million groups costs more than the test itself, so only a wrong one gets its name.
    if (typeof difference !== 'number' || typeof count !== 'number' || !Number.isFinite(difference) || !(count >= 0 && Number.isInteger(count))) {
      const group = readRecord(given[g], `groups[${g}]`);
      readReal(group['difference'], `groups[${g}].difference`);
      readCount(group['count'], `groups[${g}].count`);
      continue;
    }
    differences[g] = difference;
    counts[g] = count;
  }
  return toGroups(differences, counts, largestMagnitude(differences));
}

/** Indices by ascending key; two runs are merged where the differences ascend, as the warehouse gives them. */
function orderOf(keys: Float64Array, differences: Float64Array): Uint32Array {
  const order = Uint32Array.from(keys.keys());
  if (differences.some((difference, i) => i > 0 && difference < (differences[i - 1] as number))) {
    return order.sort((i, j) => (keys[i] as number) - (keys[j] as number));
  }
  let right = differences.findIndex(difference => difference >= 0);
  if (right < 0) right = differences.length;
  let left = right - 1;
  for (let at = 0; at < order.length; at++) {
    const takesLeft = right >= keys.length || (left >= 0 && (keys[left] as number) <= (keys[right] as number));
    order[at] = takesLeft ? left-- : right++;
  }
  return order;
}

/** Groups by steps of the grid; `counts` undefined means one each. */
function toGroups(
  differences: Float64Array,
  counts: Float64Array | undefined,
  magnitude: number,
): SignedGroups {
  const grid = decimalGrid(magnitude);
  // The sign rides in the lowest bit: one native sort of doubles then orders by distance from zero.
  const keys = differences.map(d => {
    const steps = grid.toSteps(d);
    return 2 * Math.abs(steps) + (steps > 0 ? 1 : 0);
  });
  const order =
    counts === undefined
      ? undefined
      : orderOf(keys, differences);
  if (order === undefined) keys.sort();
  const magnitudes = new Float64Array(keys.length);
  const positive = new Float64Array(keys.length);
  const negative = new Float64Array(keys.length);
  let [zeros, nonZero, last, lastSteps] = [0, 0, -1, 0];
  for (let i = 0; i < keys.length; i++) {
    const at = order === undefined ? i : (order[i] as number);
    const key = keys[at] as number;
    const count = counts === undefined ? 1 : (counts[at] as number);
    if (count === 0) continue;
    const steps = Math.floor(key / 2);
    if (steps === 0) {
      zeros += count;
      continue;
    }
    nonZero += count;
    if (steps !== lastSteps) magnitudes[++last] = grid.toValue(steps);
    lastSteps = steps;
    const side = key % 2 === 1 ? positive : negative;
    side[last] = (side[last] as number) + count;
  }
  const size = last + 1;
  return {
    n: zeros + nonZero,
    zeros,
    nonZero,
    magnitudes: magnitudes.slice(0, size),
    positive: positive.slice(0, size),
    negative: negative.slice(0, size),
  };
}
