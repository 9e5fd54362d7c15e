import {refuse} from './outcome.ts';
import {describe} from './read-options.ts';

/** Observations: a plain or a typed array of doubles. */
export type Numbers = readonly number[] | Float64Array;

/** Copies observations; refuses anything that is not an array of numbers. NaN and Infinity pass, see {@link requireFinite}. */
export function readNumbers(value: unknown, field: string): Float64Array {
  if (value instanceof Float64Array) return value.slice();
  if (!Array.isArray(value)) {
    return refuse('invalid_argument', `${field} is ${describe(value)}: it must be an array of numbers`);
  }
  const numbers = new Float64Array(value.length);
  for (let i = 0; i < value.length; i++) {
    const item: unknown = value[i];
    if (typeof item !== 'number') {
      refuse(
        'invalid_argument',
        `${field}[${i}] is ${describe(item)}: it must be a number; drop or repair it`,
      );
    }
    numbers[i] = item;
  }
  return numbers;
}

/** Checked after lengths agree and before sizes, so that bad data is never reported as too little data. */
export function requireFinite(values: Float64Array, field: string): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!Number.isFinite(value)) {
      refuse(
        'non_finite',
        `${field}[${i}] is ${value}: every value must be finite; drop or repair it before testing`,
      );
    }
  }
}

export function requireSameLength(
  first: ArrayLike<unknown>,
  second: ArrayLike<unknown>,
  fields: string,
): void {
  if (first.length === second.length) return;
  refuse(
    'length_mismatch',
    `${fields} have ${first.length} and ${second.length} values: give one of each per item`,
  );
}

export function requireAtLeast(n: number, least: number, field: string): void {
  if (n >= least) return;
  refuse('insufficient_data', `${field} has ${n} observations: at least ${least} are needed; collect more`);
}

export function readRecord(value: unknown, field: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)) {
    return value as Record<string, unknown>;
  }
  return refuse('invalid_argument', `${field} is ${describe(value)}: it must be an object`);
}

export function readReal(value: unknown, field: string): number {
  if (typeof value !== 'number')
    return refuse('invalid_argument', `${field} is ${describe(value)}: it must be a number`);
  if (!Number.isFinite(value)) return refuse('non_finite', `${field} is ${value}: it must be finite`);
  return value;
}

/** A whole number of observations, 0 or more. */
export function readCount(value: unknown, field: string): number {
  const count = readReal(value, field);
  if (count >= 0 && Number.isInteger(count)) return count;
  return refuse('invalid_argument', `${field} is ${count}: it must be a whole number, 0 or more`);
}

export function readNonNegative(value: unknown, field: string): number {
  const real = readReal(value, field);
  return real >= 0 ? real : refuse('invalid_argument', `${field} is ${real}: it must be 0 or more`);
}

/** A sum that the warehouse may have computed exactly in integers, then given as bigint. */
export function readSum(value: unknown, field: string): number | bigint {
  return typeof value === 'bigint' ? value : readReal(value, field);
}
