import {momentsOf} from './moments.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {type Numbers, readNumbers, readRecord, requireFinite} from './read-input.ts';
import {num, oneOf, readOptions} from './read-options.ts';

export interface DynamicThresholdOptions {
  /** Points before the tested one, at least 2. */
  readonly window: number;
  /** Standard deviations, 0 or more. */
  readonly k: number;
  /** Points needed before there are limits; the window by default. */
  readonly minPeriods: number | undefined;
  readonly sides: 'both' | 'upper' | 'lower';
}

/** One entry per point; null while there are too few points before it. */
export interface DynamicThresholdResult {
  readonly mean: readonly (number | null)[];
  readonly sd: readonly (number | null)[];
  readonly lower: readonly (number | null)[];
  readonly upper: readonly (number | null)[];
  /** Strictly beyond a limit on a watched side. */
  readonly breach: readonly boolean[];
}

/**
 * Limits mean ± k·sd (n − 1) from the points before each point. Every window is
 * computed afresh: a giant outlier that has left it leaves no trace.
 * Errors: `non_finite`, `invalid_argument`. Source: Shewhart (1931); agrees with pandas `rolling().shift(1)`.
 */
export function dynamicThreshold(
  input: {readonly series: Numbers},
  options?: Partial<DynamicThresholdOptions>,
): Outcome<DynamicThresholdResult> {
  return attempt(() => {
    const chosen = readOptions<DynamicThresholdOptions>(options, {
      window: num(20, 'a whole number, 2 or more', value => Number.isInteger(value) && value >= 2),
      k: num(3, '0 or more', value => value >= 0),
      minPeriods: num(undefined, 'a whole number, 1 or more', value => Number.isInteger(value) && value >= 1),
      sides: oneOf(['both', 'upper', 'lower'], 'both'),
    });
    const minPeriods = chosen.minPeriods ?? chosen.window;
    if (minPeriods > chosen.window) {
      refuse(
        'invalid_argument',
        `minPeriods is ${minPeriods}: it must not be above window, which is ${chosen.window}`,
      );
    }
    const series = readNumbers(readRecord(input, 'input')['series'], 'series');
    requireFinite(series, 'series');
    const limits = Array.from(series, (_, at) => limitsAt(series, at, {...chosen, minPeriods}));
    return {
      mean: limits.map(limit => limit.mean),
      sd: limits.map(limit => limit.sd),
      lower: limits.map(limit => limit.lower),
      upper: limits.map(limit => limit.upper),
      breach: limits.map(({lower, upper}, at) => {
        const value = series[at] as number;
        const isAbove = upper !== null && value > upper && chosen.sides !== 'lower';
        return isAbove || (lower !== null && value < lower && chosen.sides !== 'upper');
      }),
    };
  });
}

interface Limits {
  readonly mean: number | null;
  readonly sd: number | null;
  readonly lower: number | null;
  readonly upper: number | null;
}

function limitsAt(
  series: Float64Array,
  at: number,
  {window, k, minPeriods}: {window: number; k: number; minPeriods: number},
): Limits {
  const before = series.subarray(Math.max(0, at - window), at);
  if (before.length < minPeriods) return {mean: null, sd: null, lower: null, upper: null};
  const {n, mean, m2} = momentsOf(before);
  if (n < 2) return {mean, sd: null, lower: null, upper: null};
  const sd = Math.sqrt(m2 / (n - 1));
  return {mean, sd, lower: mean - k * sd, upper: mean + k * sd};
}
