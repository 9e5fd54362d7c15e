import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {formatCount, formatEffect, formatInstant, formatInterval, formatNumber, formatP, formatShare, formatSigned, formatValue, unitOf} from '../../src/report/format.ts';
import {linearAxis} from '../../src/report/axis.ts';

const MS = {symbol: 'ms', isShare: false};
const PERCENT = {symbol: '%', isShare: true};

describe('numbers as text', () => {
  test.each([
    [0, '0'], [-0, '0'], [0.0498, '0.0498'], [0.04981234, '0.04981'], [1234.5, '1,235'], [999.96, '1,000'], [12, '12'], [-0.5, '-0.5'], [1234567, '1,234,567'],
    [12345678, '1.235e7'], [0.00001234, '1.234e-5'], [1e-4, '0.0001'], [100, '100'], [Number.NaN, 'not a number'], [Infinity, 'infinity'], [-Infinity, '-infinity'],
  ])('%d → %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  test('property: a text reads back as the number within four digits, without white space', () => {
    fc.assert(
      fc.property(fc.double({noNaN: true, noDefaultInfinity: true, min: -1e12, max: 1e12}), value => {
        const text = formatNumber(value);
        expect(text).not.toMatch(/\s/);
        expect(Math.abs(Number(text.replaceAll(',', '')) - value)).toBeLessThanOrEqual(Math.abs(value) * 5.1e-4);
      }),
    );
  });

  test.each([
    [0.0123, 'p = 0.0123'], [3.21e-5, 'p = 3.2e-5'], [1e-13, 'p < 1e-12'], [0, 'p < 1e-12'], [5e-324, 'p < 1e-12'], [1, 'p = 1'], [0.99997, 'p > 0.999'],
    [0.05, 'p = 0.05'], [0.04996, 'p = 0.05'], [0.000999, 'p = 1e-3'], [Number.NaN, 'p is not a number'],
  ])('p %d → %s', (p, text) => {
    expect(formatP(p)).toBe(text);
  });

  test('property: no p reads as zero', () => {
    fc.assert(fc.property(fc.double({min: 0, max: 1, noNaN: true}), p => {
      expect(formatP(p)).not.toBe('p = 0');
    }));
  });

  test('units, signs and shares', () => {
    expect(formatValue(1840, MS)).toBe('1,840 ms');
    expect(formatValue(0.0042, PERCENT)).toBe('0.42 %');
    expect(formatEffect(0.0005, PERCENT)).toBe('+0.05 pp');
    expect(formatEffect(-3, MS)).toBe('-3 ms');
    expect(formatInterval([-0.0021, 0.0031], PERCENT)).toBe('-0.21 to +0.31 pp');
    expect(formatInterval([-Infinity, 3], MS)).toBe('-infinity to +3 ms');
    expect(formatSigned(0)).toBe('0');
    expect(formatShare(1)).toBe('100 %');
    expect(formatCount(123456789)).toBe('123,456,789');
    expect(formatInstant('2026-11-21T08:00:00.000Z')).toBe('2026-11-21 08:00:00 UTC');
    expect(formatInstant('nonsense')).toBe('nonsense');
  });

  test.each([['latency_ms', 'mean', 'ms'], ['latency_p95', 'p95', 'ms'], ['cost_usd', 'total', 'USD'], ['tokens_out', 'mean', 'tokens'], ['judge_score', 'mean', ''], ['items', 'mean', '']])('%s (%s) is in %j', (name, aggregate, symbol) => {
    expect(unitOf(name, aggregate)).toEqual({symbol, isShare: false});
  });
});

describe('axes', () => {
  test('values that differ only beyond the digits of a label are drawn as one', () => {
    for (const values of [[999999999.9999981, 999999999.9999998], [2.5e-323, -1e-323], [-1e9, -999999999.9999987]]) {
      const {ticks} = linearAxis(values, {fromPx: 12, toPx: 348, ticksMax: 5});
      expect(new Set(ticks).size).toBe(ticks.length);
      expect(ticks.length).toBeGreaterThan(1);
    }
  });

  test('property: ticks are few, ascending and inside, and every value has a place', () => {
    fc.assert(
      fc.property(fc.array(fc.double({noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9}), {maxLength: 6}), values => {
        const axis = linearAxis(values, {fromPx: 12, toPx: 348, ticksMax: 5});
        expect(axis.ticks.length).toBeLessThanOrEqual(6);
        axis.ticks.slice(1).forEach((tick, index) => {
          expect(tick).toBeGreaterThan(axis.ticks[index] ?? Infinity);
        });
        for (const value of [...values, -Infinity, Infinity]) {
          expect(axis.at(value)).toBeGreaterThanOrEqual(12);
          expect(axis.at(value)).toBeLessThanOrEqual(348);
        }
      }),
      // Shrinking doubles bisects without end in sight.
      {endOnFailure: true},
    );
  });
});
