import {momentsOf, squaredDeviations} from './moments.ts';
import {refuse} from './outcome.ts';
import {
  type Numbers,
  readCount,
  readNonNegative,
  readNumbers,
  readReal,
  readRecord,
  readSum,
  requireAtLeast,
  requireFinite,
} from './read-input.ts';
import {largestMagnitude, scaleFor} from './scale.ts';
import {differenceOfProducts, sum} from './sum.ts';

/** One arm: observations, or mean and variance (n − 1), or sums. Integer sums may be bigint and are then exact. */
export type Arm =
  | Numbers
  | {readonly n: number; readonly mean: number; readonly variance: number}
  | {readonly n: number; readonly sum: number | bigint; readonly sumSquares: number | bigint};

export interface ArmSummary {
  readonly n: number;
  readonly mean: number;
  readonly variance: number;
  /** In the caller's units, from a pivot of its own: an arm around 0 beside one around 8000 keeps its digits. */
  readonly ownMean?: number;
}

/** Both arms in units where squares neither overflow nor lose digits: x = value·scale + offset. */
export interface Arms {
  readonly a: ArmSummary;
  readonly b: ArmSummary;
  readonly scale: number;
  readonly offset: number;
}

/** Reads two independent arms with at least two observations each. */
export function readArms(input: unknown): Arms {
  const {a, b} = readRecord(input, 'input') as {a?: unknown; b?: unknown};
  const arms =
    isSummary(a) || isSummary(b) ? readMixed(a, b) : readObserved(readNumbers(a, 'a'), readNumbers(b, 'b'));
  requireAtLeast(arms.a.n, 2, 'a');
  requireAtLeast(arms.b.n, 2, 'b');
  return arms;
}

/** Mean in the caller's units. */
export function trueMean(arm: ArmSummary, arms: Arms): number {
  return arm.ownMean ?? (arm.mean + arms.offset) / arms.scale;
}

/** Mean and variance of observations, without a pivot; n may be 0. */
export function summarise(values: Float64Array): ArmSummary {
  const mean = values.length === 0 ? 0 : sum(values) / values.length;
  return {
    n: values.length,
    mean,
    variance: values.length < 2 ? 0 : squaredDeviations(values, mean) / (values.length - 1),
  };
}

/** Variance (n − 1) of n observations from their sums. */
export function varianceFromSums(n: number, total: number | bigint, squares: number | bigint): number {
  return covarianceFromSums(n, {sumX: total, sumY: total, sumXY: squares});
}

/** Covariance (n − 1) from sums: exact in bigint, with exact products in doubles. */
export function covarianceFromSums(
  n: number,
  {
    sumX,
    sumY,
    sumXY,
  }: {readonly sumX: number | bigint; readonly sumY: number | bigint; readonly sumXY: number | bigint},
): number {
  if (n < 2) return 0;
  const isExact = typeof sumX === 'bigint' && typeof sumY === 'bigint' && typeof sumXY === 'bigint';
  const scaled = isExact
    ? Number(BigInt(n) * sumXY - sumX * sumY)
    : differenceOfProducts(n, Number(sumXY), [Number(sumX), Number(sumY)]);
  return scaled / n / (n - 1);
}

function isSummary(arm: unknown): boolean {
  return typeof arm === 'object' && arm !== null && !Array.isArray(arm) && !ArrayBuffer.isView(arm);
}

function readObserved(a: Float64Array, b: Float64Array): Arms {
  requireFinite(a, 'a');
  requireFinite(b, 'b');
  const scale = scaleFor(largestMagnitude(a, b));
  const offset = (a[0] ?? 0) * scale;
  return {
    a: {...summarise(a.map(x => x * scale - offset)), ownMean: meanOf(a, scale)},
    b: {...summarise(b.map(x => x * scale - offset)), ownMean: meanOf(b, scale)},
    scale,
    offset,
  };
}

function meanOf(values: Float64Array, scale: number): number {
  return scale === 1 ? momentsOf(values).mean : momentsOf(values.map(x => x * scale)).mean / scale;
}

function readMixed(a: unknown, b: unknown): Arms {
  return {a: readArm(a, 'a'), b: readArm(b, 'b'), scale: 1, offset: 0};
}

function readArm(arm: unknown, field: string): ArmSummary {
  if (!isSummary(arm)) {
    const values = readNumbers(arm, field);
    requireFinite(values, field);
    return summarise(values);
  }
  const given = arm as Record<string, unknown>;
  const n = readCount(given['n'], `${field}.n`);
  if ('mean' in given || 'variance' in given) {
    return {
      n,
      mean: readReal(given['mean'], `${field}.mean`),
      variance: readNonNegative(given['variance'], `${field}.variance`),
    };
  }
  const total = readSum(given['sum'], `${field}.sum`);
  const squares = readSum(given['sumSquares'], `${field}.sumSquares`);
  const variance = varianceFromSums(n, total, squares);
  if (variance * (n - 1) < -1e-9 * Number(squares)) {
    refuse(
      'invalid_argument',
      `${field}.sumSquares is ${squares}: it must be at least sum²/n; check both sums`,
    );
  }
  return {n, mean: n === 0 ? 0 : Number(total) / n, variance: Math.max(0, variance)};
}
