import {refuse} from './outcome.ts';

/** Turns one option as given (`undefined` when absent) into a checked value, or refuses. */
export type OptionReader<T> = (value: unknown, name: string) => T;

export type Alternative = 'two-sided' | 'greater' | 'less';

/**
 * Checks options at run time, because they also come from files and requests: a
 * misspelled name or a value of the wrong type is `invalid_argument`, never ignored.
 */
export function readOptions<T extends object>(
  given: unknown,
  readers: {readonly [K in keyof T]-?: OptionReader<T[K]>},
): T {
  if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given))) {
    refuse('invalid_argument', `options is ${describe(given)}: it must be an object of named options`);
  }
  const values = (given ?? {}) as Record<string, unknown>;
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(readers, name)) {
      const known = Object.keys(readers).join(', ') || 'none';
      refuse('invalid_argument', `option "${name}" is unknown: this test takes ${known}`);
    }
  }
  const result: Record<string, unknown> = {};
  for (const [name, read] of Object.entries(readers) as [string, OptionReader<unknown>][]) {
    result[name] = read(Object.hasOwn(values, name) ? values[name] : undefined, name);
  }
  return result as T;
}

export function oneOf<const T extends string>(choices: readonly T[], fallback: T): OptionReader<T> {
  return (value, name) => {
    if (value === undefined) return fallback;
    const found = choices.find(choice => choice === value);
    return (
      found ??
      refuse('invalid_argument', `${name} is ${describe(value)}: it must be one of ${choices.join(', ')}`)
    );
  };
}

export function bool(fallback: boolean): OptionReader<boolean> {
  return (value, name) => {
    if (value === undefined) return fallback;
    if (typeof value === 'boolean') return value;
    return refuse('invalid_argument', `${name} is ${describe(value)}: it must be true or false`);
  };
}

/** A number that passes `isFine`; `rule` says in words what that is. `fallback` undefined makes the option optional. */
export function num<F extends number | undefined>(
  fallback: F,
  rule: string,
  isFine: (value: number) => boolean,
): OptionReader<F | number> {
  return (value, name) => {
    if (value === undefined) return fallback;
    if (typeof value === 'number' && Number.isFinite(value) && isFine(value)) return value;
    return refuse('invalid_argument', `${name} is ${describe(value)}: it must be ${rule}`);
  };
}

/** A probability strictly between 0 and 1. */
export function openFraction<F extends number | undefined>(fallback: F): OptionReader<F | number> {
  return num(fallback, 'above 0 and below 1 (0.95, not 95)', value => value > 0 && value < 1);
}

export const alternative = oneOf<Alternative>(['two-sided', 'greater', 'less'], 'two-sided');

export const confidenceLevel = openFraction(0.95);

/** Says what a value is, for error messages: its kind, and itself when it is short. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'undefined')
    return String(value);
  if (typeof value === 'string') return `the string ${JSON.stringify(value.slice(0, 40))}`;
  return `of type ${typeof value}`;
}
