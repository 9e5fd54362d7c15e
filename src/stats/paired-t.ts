import {hedgesCorrection} from './gamma-ratio.ts';
import {inferT, type InferenceOptions, type Interval} from './inference.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {
  type Numbers,
  readCount,
  readNonNegative,
  readNumbers,
  readReal,
  readRecord,
  requireAtLeast,
  requireFinite,
  requireSameLength,
} from './read-input.ts';
import {alternative, confidenceLevel, num, readOptions} from './read-options.ts';
import {isNoise, largestMagnitude, scaleFor} from './scale.ts';
import {summarise} from './arms.ts';
import {sum} from './sum.ts';

/** The two outcomes of each pair in the same order, their differences a − b, or what they sum to. */
export type PairedTInput =
  | {readonly a: Numbers; readonly b: Numbers}
  | {readonly differences: Numbers}
  | {readonly n: number; readonly meanDifference: number; readonly sdDifference: number};

export interface PairedTOptions extends InferenceOptions {
  /** Mean difference under the null hypothesis. */
  readonly mu: number;
}

export interface PairedTResult {
  /** Pairs. */
  readonly n: number;
  readonly statistic: number;
  readonly df: number;
  readonly pValue: number;
  readonly meanDifference: number;
  readonly sdDifference: number;
  readonly standardError: number;
  /** Of the mean difference. */
  readonly ci: Interval;
  readonly effectSize: {readonly cohensDz: number; readonly hedgesGz: number};
}

/** Values are in units of 1/scale. */
interface Differences {
  readonly n: number;
  readonly mean: number;
  readonly sd: number;
  readonly scale: number;
  /** Magnitudes whose rounding noise the differences carry. */
  readonly references: readonly number[];
}

/**
 * Student's t on the differences of pairs. Only for outcomes of the same items.
 * Errors: `length_mismatch`, `non_finite`, `insufficient_data` (n < 2), `zero_variance`, `invalid_argument`.
 * Source: Student (1908); agrees with R `t.test(paired = TRUE)` and scipy `ttest_rel`.
 */
export function pairedT(input: PairedTInput, options?: Partial<PairedTOptions>): Outcome<PairedTResult> {
  return attempt(() => {
    const chosen = readOptions<PairedTOptions>(options, {
      alternative,
      confidenceLevel,
      mu: num(0, 'a finite number', () => true),
    });
    const {n, mean, sd, scale, references} = readDifferences(readRecord(input, 'input'));
    requireAtLeast(n, 2, 'the pairs');
    const df = n - 1;
    const standardError = sd / Math.sqrt(n);
    if (isNoise(standardError, ...references)) {
      refuse(
        'zero_variance',
        'the differences are constant: there is no spread to test against; report the difference itself',
      );
    }
    const nullValue = chosen.mu * scale;
    const inference = inferT({estimate: mean, standardError, df, nullValue}, chosen);
    const cohensDz = (mean - nullValue) / sd;
    return {
      n,
      df,
      meanDifference: mean / scale,
      sdDifference: sd / scale,
      standardError: standardError / scale,
      ...inference,
      ci: [inference.ci[0] / scale, inference.ci[1] / scale] as const,
      effectSize: {cohensDz, hedgesGz: cohensDz * hedgesCorrection(df)},
    };
  });
}

function readDifferences(input: Record<string, unknown>): Differences {
  if ('differences' in input) {
    const differences = readNumbers(input['differences'], 'differences');
    requireFinite(differences, 'differences');
    const scale = scaleFor(largestMagnitude(differences));
    return fromDifferences(
      differences.map(d => d * scale),
      scale,
    );
  }
  if ('a' in input || 'b' in input)
    return fromPairs(readNumbers(input['a'], 'a'), readNumbers(input['b'], 'b'));
  if (!('n' in input)) {
    refuse(
      'invalid_argument',
      'input has no data: give {a, b}, {differences} or {n, meanDifference, sdDifference}',
    );
  }
  const mean = readReal(input['meanDifference'], 'meanDifference');
  return {
    n: readCount(input['n'], 'n'),
    mean,
    sd: readNonNegative(input['sdDifference'], 'sdDifference'),
    scale: 1,
    references: [mean],
  };
}

function fromPairs(a: Float64Array, b: Float64Array): Differences {
  requireSameLength(a, b, 'a and b');
  requireFinite(a, 'a');
  requireFinite(b, 'b');
  const scale = scaleFor(largestMagnitude(a, b));
  const differences = a.map((value, i) => value * scale - (b[i] as number) * scale);
  const means = [a, b].map(values =>
    values.length === 0 ? 0 : sum(values.map(x => x * scale)) / values.length,
  );
  return {...fromDifferences(differences, scale), references: means};
}

function fromDifferences(differences: Float64Array, scale: number): Differences {
  const {n, mean, variance} = summarise(differences);
  return {n, mean, sd: Math.sqrt(variance), scale, references: [mean]};
}
