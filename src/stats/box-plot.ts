import {type Groups, type OneSample, readOneSample} from './groups.ts';
import {orderStatistics} from './order-statistics.ts';
import {attempt, type Outcome} from './outcome.ts';
import {requireAtLeast} from './read-input.ts';
import {num, readOptions} from './read-options.ts';

export interface BoxPlotOptions {
  /** Whiskers reach at most this many interquartile ranges from the box. */
  readonly whiskerK: number;
  /** Outliers returned; `outlierCount` always counts all. */
  readonly outliersMax: number;
}

export interface BoxPlotResult {
  readonly n: number;
  readonly min: number;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
  readonly max: number;
  /** The last observation within reach. */
  readonly lowerWhisker: number;
  readonly upperWhisker: number;
  /** Observations beyond the whiskers, ascending, each as often as it occurs. */
  readonly outliers: readonly number[];
  readonly outlierCount: number;
}

/**
 * Numbers of a box plot; observations or groups {value, count}.
 * Errors: `non_finite`, `insufficient_data` (none), `invalid_argument`.
 * Source: Tukey (1977) with type-7 quartiles (numpy's default).
 */
export function boxPlot(input: OneSample, options?: Partial<BoxPlotOptions>): Outcome<BoxPlotResult> {
  return attempt(() => {
    const {whiskerK, outliersMax} = readOptions<BoxPlotOptions>(options, {
      whiskerK: num(1.5, '0 or more', value => value >= 0),
      outliersMax: num(
        1_000_000,
        'a whole number, 0 or more',
        value => Number.isInteger(value) && value >= 0,
      ),
    });
    const groups = readOneSample(input);
    const {n} = groups;
    requireAtLeast(n, 1, 'x');
    const sample = orderStatistics(groups);
    const [q1, median, q3] = [sample.quantile(0.25), sample.quantile(0.5), sample.quantile(0.75)];
    const reach = whiskerK * (q3 - q1);
    const inside = (value: number): boolean => value >= q1 - reach && value <= q3 + reach;
    return {
      n,
      min: sample.at(1),
      q1,
      median,
      q3,
      max: sample.at(n),
      ...whiskers(groups, inside, outliersMax),
    };
  });
}

function whiskers({values, counts}: Groups, inside: (value: number) => boolean, outliersMax: number) {
  let lowerWhisker = Number.POSITIVE_INFINITY;
  let upperWhisker = Number.NEGATIVE_INFINITY;
  let outlierCount = 0;
  const outliers: number[] = [];
  for (let g = 0; g < values.length; g++) {
    const value = values[g] as number;
    const count = counts[g] as number;
    if (count === 0) continue;
    if (inside(value)) {
      lowerWhisker = Math.min(lowerWhisker, value);
      upperWhisker = Math.max(upperWhisker, value);
      continue;
    }
    outlierCount += count;
    for (let i = 0; i < count && outliers.length < outliersMax; i++) outliers.push(value);
  }
  return {lowerWhisker, upperWhisker, outliers, outlierCount};
}
