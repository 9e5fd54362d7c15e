import {inferZ, type InferenceOptions, type Interval, interval} from './inference.ts';
import {normal} from './normal.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {readCount, readRecord, requireAtLeast} from './read-input.ts';
import {alternative, bool, confidenceLevel, oneOf, readOptions} from './read-options.ts';
import {wilsonInterval} from './wilson-interval.ts';

export interface Proportion {
  readonly successes: number;
  readonly n: number;
}

export interface TwoProportionOptions extends InferenceOptions {
  /** One common proportion for the standard error under the null hypothesis. */
  readonly pooled: boolean;
  /** Yates' correction, as in R `prop.test`. */
  readonly continuity: boolean;
  readonly ciMethod: 'newcombe' | 'wald' | 'agresti-caffo';
}

export interface TwoProportionResult {
  readonly nA: number;
  readonly nB: number;
  readonly proportionA: number;
  readonly proportionB: number;
  /** p(a) − p(b). */
  readonly difference: number;
  readonly standardError: number;
  readonly statistic: number;
  readonly pValue: number;
  /** Two-sided and uncorrected whatever the alternative. */
  readonly ci: Interval;
  /** relative: difference over p(b), null when that is 0. */
  readonly effectSize: {readonly cohensH: number; readonly relative: number | null};
}

/**
 * z-test for two independent proportions.
 * Errors: `non_finite`, `insufficient_data` (n = 0), `zero_variance` (no spread), `invalid_argument` (successes > n, not whole).
 * Source: Newcombe (1998) method 10, Agresti and Caffo (2000); agrees with R `prop.test` and statsmodels.
 */
export function twoProportion(
  input: {readonly a: Proportion; readonly b: Proportion},
  options?: Partial<TwoProportionOptions>,
): Outcome<TwoProportionResult> {
  return attempt(() => {
    const chosen = readOptions<TwoProportionOptions>(options, {
      alternative,
      confidenceLevel,
      pooled: bool(true),
      continuity: bool(false),
      ciMethod: oneOf(['newcombe', 'wald', 'agresti-caffo'], 'newcombe'),
    });
    const given = readRecord(input, 'input');
    const a = readProportion(given['a'], 'a');
    const b = readProportion(given['b'], 'b');
    requireAtLeast(a.n, 1, 'a');
    requireAtLeast(b.n, 1, 'b');
    const [pA, pB] = [a.successes / a.n, b.successes / b.n];
    const difference = pA - pB;
    const standardError = chosen.pooled ? pooledError(a, b) : unpooledError(a, b);
    if (!(standardError > 0))
      refuse(
        'zero_variance',
        'a and b have no spread (all or none succeeded): nothing can be tested; collect more',
      );
    const shrink = chosen.continuity ? Math.min(Math.abs(difference), (1 / a.n + 1 / b.n) / 2) : 0;
    const {statistic, pValue} = inferZ(
      {estimate: difference - Math.sign(difference) * shrink, standardError},
      chosen,
    );
    return {
      nA: a.n,
      nB: b.n,
      proportionA: pA,
      proportionB: pB,
      difference,
      standardError,
      statistic,
      pValue,
      ci: differenceInterval(a, b, chosen),
      effectSize: {cohensH: cohensH(pA, pB), relative: pB === 0 ? null : difference / pB},
    };
  });
}

/** Cohen's h: the difference of arcsine-transformed proportions. */
export function cohensH(pA: number, pB: number): number {
  return 2 * Math.asin(Math.sqrt(pA)) - 2 * Math.asin(Math.sqrt(pB));
}

function readProportion(given: unknown, field: string): Proportion {
  const record = readRecord(given, field);
  const successes = readCount(record['successes'], `${field}.successes`);
  const n = readCount(record['n'], `${field}.n`);
  if (successes > n) {
    refuse(
      'invalid_argument',
      `${field}.successes is ${successes}, above ${field}.n = ${n}: count each trial once`,
    );
  }
  return {successes, n};
}

function pooledError(a: Proportion, b: Proportion): number {
  const p = (a.successes + b.successes) / (a.n + b.n);
  const q = (a.n - a.successes + (b.n - b.successes)) / (a.n + b.n);
  return Math.sqrt(p * q * (1 / a.n + 1 / b.n));
}

function unpooledError(a: Proportion, b: Proportion): number {
  const square = ({successes, n}: Proportion): number => ((successes / n) * ((n - successes) / n)) / n;
  return Math.sqrt(square(a) + square(b));
}

function differenceInterval(
  a: Proportion,
  b: Proportion,
  {ciMethod, confidenceLevel: level}: TwoProportionOptions,
): Interval {
  const z = -normal.quantile((1 - level) / 2);
  if (ciMethod === 'newcombe') return newcombe(a, b, z);
  const extra = ciMethod === 'wald' ? 0 : 1;
  const padded = [a, b].map(({successes, n}) => ({successes: successes + extra, n: n + 2 * extra})) as [
    Proportion,
    Proportion,
  ];
  const centre = padded[0].successes / padded[0].n - padded[1].successes / padded[1].n;
  return interval(centre, z * unpooledError(...padded), 'two-sided');
}

/** Newcombe's hybrid score interval: Wilson's limits of both arms, combined. */
function newcombe(a: Proportion, b: Proportion, z: number): Interval {
  const [pA, pB] = [a.successes / a.n, b.successes / b.n];
  const [lowA, highA] = wilsonInterval(a.successes, a.n, z);
  const [lowB, highB] = wilsonInterval(b.successes, b.n, z);
  return [pA - pB - Math.hypot(pA - lowA, highB - pB), pA - pB + Math.hypot(highA - pA, pB - lowB)];
}
