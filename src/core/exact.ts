/**
 * Exact sums (DESIGN C3). A measure is summed as the integer
 * q = roundHalfEven(x · 10^scale), from the one IEEE product x·10^scale, so the
 * result does not depend on order, threads or merges and SQL and TypeScript agree.
 */

/** Measures at or beyond this size are dead letters, so that q fits comfortably in Int256 sums of squares. */
export const MEASURE_ABS_MAX = 1e15;
export const SCALE_DEFAULT = 9;
export const SCALE_MAX = 12;

/** The integer a measure is summed as. `value` must be finite and |value| < 1e15. */
export function quantise(value: number, scale: number): bigint {
  return BigInt(roundHalfEven(value * 10 ** scale));
}

/** Banker's rounding of a double to a whole double, exactly as ClickHouse's `roundBankers`. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The double nearest to q / 10^scale, computed without losing the low digits of a large q. */
export function unquantise(q: bigint, scale: number): number {
  return Number(decimalText(q, scale));
}

/** q / 10^scale written out as a decimal string. */
export function decimalText(q: bigint, scale: number): string {
  const digits = (q < 0n ? -q : q).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  const rest = scale === 0 ? '' : `.${digits.slice(digits.length - scale)}`;
  return `${q < 0n ? '-' : ''}${whole}${rest}`;
}
