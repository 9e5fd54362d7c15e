import type {Unit} from './report.ts';

/**
 * The only place that turns a number into text. Four significant digits, a
 * comma per thousand, exponents outside 1e-4 … 1e7, never `p = 0`.
 */
const DIGITS = 4;
const P_SMALLEST = 1e-12;

const group = (digits: string): string => digits.replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',');

const exponential = (value: number, digits: number): string =>
  value
    .toExponential(digits - 1)
    .replace(/\.?0+e/, 'e')
    .replace('e+', 'e');

/** A finite number with at most `digits` significant digits (whole parts are never cut). */
export function formatNumber(value: number, digits = DIGITS): string {
  if (Number.isNaN(value)) return 'not a number';
  if (!Number.isFinite(value)) return value > 0 ? 'infinity' : '-infinity';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e7) return exponential(value, digits);
  const rounded = size >= 10 ** (digits - 1) ? value.toFixed(0) : value.toPrecision(digits);
  const [whole = '', fraction = ''] = rounded.split('.');
  const kept = fraction.replace(/0+$/, '');
  return kept === '' ? group(whole) : `${group(whole)}.${kept}`;
}

/** A whole number of things: every digit is kept. */
export const formatCount = (value: number): string =>
  Number.isFinite(value) ? group(value.toFixed(0)) : formatNumber(value);

export const formatSigned = (value: number, digits = DIGITS): string =>
  value > 0 ? `+${formatNumber(value, digits)}` : formatNumber(value, digits);

/** A share of 1 as per cent: 0.0613 → `6.13 %`. */
export const formatShare = (share: number): string => `${formatNumber(share * 100, 3)} %`;

export const formatSignedShare = (share: number): string => `${formatSigned(share * 100, 3)} %`;

const withSymbol = (text: string, symbol: string): string => (symbol === '' ? text : `${text} ${symbol}`);

/** A value in its metric's unit: `1,234 ms`, `4.2 %`. */
export const formatValue = (value: number, unit: Unit): string =>
  unit.isShare ? formatShare(value) : withSymbol(formatNumber(value), unit.symbol);

/** A difference in its metric's unit; between shares it is in percentage points. */
export const formatEffect = (value: number, unit: Unit): string =>
  unit.isShare ? `${formatSigned(value * 100, 3)} pp` : withSymbol(formatSigned(value), unit.symbol);

/** An interval of differences, without the sign of its unit repeated: `-0.06 to -0.03 ms`. */
export function formatInterval([low, high]: readonly [number, number], unit: Unit, to = 'to'): string {
  const factor = unit.isShare ? 100 : 1;
  const text = `${formatSigned(low * factor)} ${to} ${formatSigned(high * factor)}`;
  return withSymbol(text, unit.isShare ? 'pp' : unit.symbol);
}

/** `p = 0.0123`, `p = 3.2e-5`, `p < 1e-12`, `p > 0.999`. */
export function formatP(p: number): string {
  if (Number.isNaN(p)) return 'p is not a number';
  if (p < P_SMALLEST) return 'p < 1e-12';
  if (p > 0.999 && p < 1) return 'p > 0.999';
  return p < 1e-3 ? `p = ${exponential(p, 2)}` : `p = ${formatNumber(p, 3)}`;
}

/** `2026-11-21T08:00:00.000Z` → `2026-11-21 08:00:00 UTC`. Anything else is returned as it is. */
export const formatInstant = (iso: string): string =>
  iso.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/, '$1 $2 UTC');

const UNIT_BY_SUFFIX: readonly (readonly [RegExp, string])[] = [
  [/(^|_)ms$/, 'ms'],
  [/(^|_)latency(_p\d+)?$/, 'ms'],
  [/(^|_)seconds$/, 's'],
  [/(^|_)usd$/, 'USD'],
  [/(^|_)tokens(_(in|out))?$/, 'tokens'],
  [/(^|_)bytes$/, 'bytes'],
];

/** A unit by the naming rule of measures (`latency_ms`, `cost_usd`); shares and conversions are per cent. */
export function unitOf(name: string, aggregate: string): Unit {
  if (aggregate === 'share' || aggregate === 'conversion') return {symbol: '%', isShare: true};
  const known = UNIT_BY_SUFFIX.find(([pattern]) => pattern.test(name));
  return {symbol: known?.[1] ?? '', isShare: false};
}
