/**
 * A power of two that brings data of the given largest magnitude near 1, or 1
 * when squares of it neither overflow nor vanish. Powers of two lose no digits.
 */
export function scaleFor(magnitude: number): number {
  if (magnitude === 0 || (magnitude > 1e-120 && magnitude < 1e120)) return 1;
  return 2 ** -Math.max(-1000, Math.min(1000, Math.floor(Math.log2(magnitude))));
}

export function largestMagnitude(...arrays: readonly Float64Array[]): number {
  let largest = 0;
  for (const values of arrays) {
    for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] as number));
  }
  return largest;
}

/**
 * A standard error this small against the means it comes from is rounding noise
 * of constant data: 0.3 − 0.1 and 0.4 − 0.2 differ by 5e-17.
 */
export function isNoise(standardError: number, ...means: readonly number[]): boolean {
  return !(standardError > 0) || standardError < 10 * Number.EPSILON * Math.max(...means.map(Math.abs));
}
