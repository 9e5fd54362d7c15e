import {assert} from '../core/assert.ts';

/**
 * From exact integer sums to means and variances. The centred moment is formed as
 * a bigint (nothing cancels, however large the mean is against the spread) and
 * turned into a double by one correctly rounded division, so the same facts give
 * the same bits whatever the order, engine or number of merges.
 */
export type Moments = {readonly n: number; readonly mean: number | null; /** n − 1; null for n < 2. */ readonly variance: number | null};

export type ValueSums = {readonly n: number; readonly sum: bigint; readonly sumSquares: bigint; readonly scale: number};

/** Sums over units i of sᵢ (numerator) and dᵢ (denominator). */
export type RatioSums = {
  readonly n: number;
  readonly numerator: bigint;
  readonly denominator: bigint;
  readonly numeratorSquares: bigint;
  readonly denominatorSquares: bigint;
  readonly cross: bigint;
  readonly numeratorScale: number;
  readonly denominatorScale: number;
};

/** Mean and variance of n values with Σq and Σq² at 10^scale. */
export function momentsOf({n, sum, sumSquares, scale}: ValueSums): Moments {
  const count = BigInt(n);
  const one = power(scale);
  if (n === 0) return {n, mean: null, variance: null};
  return {
    n,
    mean: divide(sum, count * one),
    variance: n < 2 ? null : divide(count * sumSquares - sum * sum, count * (count - 1n) * one * one),
  };
}

/**
 * The ratio R = Σs/Σd of an arm and its delta-method variance per unit,
 *
 *     v = Σ(sᵢ − R·dᵢ)² / ((n − 1)·d̄²),   SE² = v / n,
 *
 * written over the common denominator D⁴ so that it is one integer division.
 * The mean is null where Σd is 0.
 */
export function ratioMomentsOf(sums: RatioSums): Moments {
  const {n, numerator: s, denominator: d} = sums;
  if (n === 0 || d === 0n) return {n, mean: null, variance: null};
  const up = power(sums.denominatorScale);
  const down = power(sums.numeratorScale);
  const mean = divide(s * up, d * down);
  if (n < 2) return {n, mean, variance: null};
  const residual = sums.numeratorSquares * d * d - 2n * s * d * sums.cross + s * s * sums.denominatorSquares;
  const units = BigInt(n);
  return {n, mean, variance: divide(units * units * residual * up * up, (units - 1n) * d ** 4n * down * down)};
}

/** Sums over clusters g of pairs: n_g pairs that differ by S_g in sum, in steps of 10^−digits. */
export type ClusterSums = {
  readonly n: number;
  readonly total: bigint;
  /** ΣS_g², ΣS_g·n_g, Σn_g². */
  readonly squares: bigint;
  readonly cross: bigint;
  readonly sizes: bigint;
  readonly digits: number;
};

/** Σ(S_g − n_g·d̄)², over the common denominator n². */
export function squaredClusterSums({n, total, squares, cross, sizes, digits}: ClusterSums): number {
  const pairs = BigInt(n);
  const sum = pairs * pairs * squares - 2n * pairs * total * cross + total * total * sizes;
  const [up, down] = [power(Math.max(0, -digits)), power(Math.max(0, digits))];
  return divide(sum * up * up, pairs * pairs * down * down);
}

/** Moments of n values given as sums of steps of 10^−digits; digits may be negative. */
export function momentsOfSteps(n: number, {total, squares}: {readonly total: bigint; readonly squares: bigint}, digits: number): Moments {
  const up = power(Math.max(0, -digits));
  return momentsOf({n, sum: total * up, sumSquares: squares * up * up, scale: Math.max(0, digits)});
}

/** The double nearest to numerator / denominator (ties to even). */
export function divide(numerator: bigint, denominator: bigint): number {
  assert(denominator !== 0n, 'divide by zero');
  const isNegative = numerator < 0n !== denominator < 0n;
  const top = numerator < 0n ? -numerator : numerator;
  const bottom = denominator < 0n ? -denominator : denominator;
  if (top === 0n) return 0;
  // Enough quotient bits that the sticky bit lies below the rounding position.
  const shift = 66 - (bits(top) - bits(bottom));
  const shiftedTop = shift > 0 ? top << BigInt(shift) : top;
  const shiftedBottom = shift < 0 ? bottom << BigInt(-shift) : bottom;
  const quotient = shiftedTop / shiftedBottom;
  const sticky = shiftedTop % shiftedBottom === 0n ? 0n : 1n;
  const size = Number(quotient | sticky) * 2 ** -shift;
  return isNegative ? -size : size;
}

function bits(value: bigint): number {
  // 4 bits a hex digit is exact enough: the quotient then has 63 to 69 bits.
  return value.toString(16).length * 4;
}

function power(scale: number): bigint {
  return 10n ** BigInt(scale);
}
