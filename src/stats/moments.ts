import {sum} from './sum.ts';

/** What can be merged: n, mean as an unevaluated sum of two doubles, sum of squared deviations, range. */
export interface Moments {
  readonly n: number;
  readonly mean: number;
  /** What `mean` lost to rounding; matters when data has a huge common offset. */
  readonly meanLow: number;
  /** Σ (x − mean)². */
  readonly m2: number;
  readonly min: number;
  readonly max: number;
}

export const NO_MOMENTS: Moments = {
  n: 0,
  mean: 0,
  meanLow: 0,
  m2: 0,
  min: Number.POSITIVE_INFINITY,
  max: Number.NEGATIVE_INFINITY,
};

/** Two passes over values shifted by the first one, so that an offset of 1e9 costs no digits. Values must be finite. */
export function momentsOf(values: ArrayLike<number>): Moments {
  const n = values.length;
  if (n === 0) return NO_MOMENTS;
  const pivot = values[0] as number;
  const shifted = new Float64Array(n);
  let min = pivot;
  let max = pivot;
  for (let i = 0; i < n; i++) {
    const value = values[i] as number;
    shifted[i] = value - pivot;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const shiftedMean = sum(shifted) / n;
  const [mean, meanLow] = twoSum(pivot, shiftedMean);
  return {n, mean, meanLow, m2: squaredDeviations(shifted, shiftedMean), min, max};
}

/** Chan, Golub and LeVeque (1983). */
export function mergeMoments(first: Moments, second: Moments): Moments {
  if (first.n === 0) return second;
  if (second.n === 0) return first;
  const n = first.n + second.n;
  const delta = second.mean - first.mean + (second.meanLow - first.meanLow);
  const [mean, rounding] = twoSum(first.mean, (delta * second.n) / n);
  return {
    n,
    mean,
    meanLow: first.meanLow + rounding,
    m2: first.m2 + second.m2 + delta * delta * ((first.n * second.n) / n),
    min: Math.min(first.min, second.min),
    max: Math.max(first.max, second.max),
  };
}

/** Σ (x − mean)², corrected for the rounding of the mean. */
export function squaredDeviations(values: ArrayLike<number>, mean: number): number {
  const squares = new Float64Array(values.length);
  let rest = 0;
  for (let i = 0; i < values.length; i++) {
    const deviation = (values[i] as number) - mean;
    rest += deviation;
    squares[i] = deviation * deviation;
  }
  return Math.max(0, sum(squares) - (rest * rest) / values.length);
}

function twoSum(a: number, b: number): readonly [number, number] {
  const total = a + b;
  const virtual = total - a;
  return [total, a - (total - virtual) + (b - virtual)];
}
