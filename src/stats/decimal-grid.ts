/**
 * Ties and zeros of differences are decided on decimal values: 0.85 − 0.83 and
 * 0.82 − 0.80 tie although their doubles differ, and (0.1 + 0.2) − 0.3 is zero.
 * With M the largest input, a double carries 15 decimal digits of it, so every
 * difference is rounded to the grid 10^(⌈log10 M⌉ − 15).
 */
export interface DecimalGrid {
  /** Whole steps of the grid; below 2^52 for differences of inputs up to M. */
  readonly toSteps: (difference: number) => number;
  /** The double nearest to that many steps. */
  readonly toValue: (steps: number) => number;
}

/** `magnitude`: the largest absolute input, finite. */
export function decimalGrid(magnitude: number): DecimalGrid {
  const exponent = magnitude === 0 ? 0 : ceilLog10(magnitude) - 15;
  if (exponent >= 0) {
    const size = powerOfTen(exponent);
    return {toSteps: d => Math.round(d / size) + 0, toValue: steps => steps * size};
  }
  // 10^-exponent itself may overflow, its two halves do not.
  const first = powerOfTen(Math.min(300, -exponent));
  const second = powerOfTen(Math.max(0, -exponent - 300));
  return {toSteps: d => Math.round(d * first * second) + 0, toValue: steps => steps / first / second};
}

/** From the shortest decimal form: a logarithm is off by one ulp at powers of ten. */
function ceilLog10(magnitude: number): number {
  const [digits, exponent] = magnitude.toExponential().split('e');
  return Number(exponent) + (digits === '1' ? 0 : 1);
}

/** Correctly rounded, which `10 ** n` is not. */
function powerOfTen(exponent: number): number {
  return Number(`1e${exponent}`);
}
