import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {divide, momentsOf, ratioMomentsOf} from '../../src/analyze/exact-moments.ts';
import {ratioMetric} from '../../src/stats/ratio-metric.ts';
import {quantise} from '../../src/core/exact.ts';
import {makeRatioTotals} from './fixtures.ts';

describe('divide', () => {
  test('gives the nearest double of decimal fractions', () => {
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 40n), 10n ** 40n), fc.integer({min: 0, max: 30}), (top, digits) => {
        expect(divide(top, 10n ** BigInt(digits))).toBe(Number(`${top}e-${digits}`) + 0);
      }),
    );
  });

  test('is right for small, huge and signed operands', () => {
    expect(divide(1n, 3n)).toBe(1 / 3);
    expect(divide(-7n, 2n)).toBe(-3.5);
    expect(divide(7n, -2n)).toBe(-3.5);
    expect(divide(0n, -5n)).toBe(0);
    expect(divide(10n ** 300n, 10n ** 299n)).toBe(10);
    expect(divide(2n ** 53n + 1n, 1n)).toBe(2 ** 53);
  });
});

describe('moments', () => {
  test('variance does not cancel when the mean is huge against the spread', () => {
    const values = [1e14, 1e14 + 1, 1e14 + 2];
    const q = values.map(value => quantise(value, 0));
    const sums = {n: 3, sum: q.reduce((a, b) => a + b, 0n), sumSquares: q.reduce((a, b) => a + b * b, 0n), scale: 0};
    expect(momentsOf(sums)).toEqual({n: 3, mean: 1e14 + 1, variance: 1});
  });

  test('no values, one value', () => {
    expect(momentsOf({n: 0, sum: 0n, sumSquares: 0n, scale: 9})).toEqual({n: 0, mean: null, variance: null});
    expect(momentsOf({n: 1, sum: 25n, sumSquares: 625n, scale: 1})).toEqual({n: 1, mean: 2.5, variance: null});
  });

  test('the ratio and its delta variance agree with the test on arrays', () => {
    const numerator = {a: [7.097, 0.091, 2.076, 6.062, 0], b: [4.01, 4.019, 7.016, 5.076, 1.5]};
    const denominator = {a: [11, 1, 4, 11, 0], b: [6, 7, 8, 9, 2]};
    const reference = ratioMetric({
      a: {numerator: numerator.a, denominator: denominator.a},
      b: {numerator: numerator.b, denominator: denominator.b},
    });
    if (reference.status !== 'ok') throw new Error(reference.message);
    const of = (arm: 'a' | 'b') => {
      const t = makeRatioTotals(arm, numerator[arm].map((x, i) => [[x, denominator[arm][i] ?? 0] as const]));
      return ratioMomentsOf({
        n: t.unitsWithOutcome, numerator: t.sumQ, denominator: t.denominatorQ, numeratorSquares: t.unitSumSquaresQ,
        denominatorSquares: t.unitDenominatorSquaresQ, cross: t.unitCrossQ, numeratorScale: 9, denominatorScale: 9,
      });
    };
    const [a, b] = [of('a'), of('b')];
    expect(a.mean).toBeCloseTo(reference.ratioA, 14);
    expect(Math.sqrt((a.variance ?? 0) / 5 + (b.variance ?? 0) / 5)).toBeCloseTo(reference.standardError, 14);
  });

  test('a ratio over nothing has no mean', () => {
    const sums = {n: 2, numerator: 5n, denominator: 0n, numeratorSquares: 25n, denominatorSquares: 0n, cross: 0n, numeratorScale: 0, denominatorScale: 0};
    expect(ratioMomentsOf(sums)).toEqual({n: 2, mean: null, variance: null});
  });
});
