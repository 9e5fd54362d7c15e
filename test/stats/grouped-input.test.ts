import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {boxPlot} from '../../src/stats/box-plot.ts';
import {cuped} from '../../src/stats/cuped.ts';
import {ksTwoSample} from '../../src/stats/ks-two-sample.ts';
import {mannWhitneyU} from '../../src/stats/mann-whitney-u.ts';
import {pairedT} from '../../src/stats/paired-t.ts';
import {quantileCi} from '../../src/stats/quantile-ci.ts';
import {quantileDifference} from '../../src/stats/quantile-difference.ts';
import {ratioMetric} from '../../src/stats/ratio-metric.ts';
import {relativeLift} from '../../src/stats/relative-lift.ts';
import {welchT} from '../../src/stats/welch-t.ts';
import {wilcoxonSignedRank} from '../../src/stats/wilcoxon-signed-rank.ts';
import {winsorisedMeanDifference} from '../../src/stats/winsorised-mean-difference.ts';

// What the warehouse pushes down must give what the raw data gives. fast-check prints the seed of a failing run.

/** Hundredths, with many repeats. */
const scores = (minLength: number) =>
  fc.array(
    fc.integer({min: 0, max: 60}).map(cents => cents / 100),
    {minLength, maxLength: 90},
  );

const mean = (values: readonly number[]): number =>
  values.reduce((all, value) => all + value, 0) / values.length;

function covariance(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [mean(x), mean(y)];
  return x.reduce((all, value, i) => all + (value - mx) * ((y[i] as number) - my), 0) / (x.length - 1);
}

function groupsOf(a: readonly number[], b: readonly number[]) {
  const values = [...new Set([...a, ...b])].sort((x, y) => x - y);
  const countIn = (list: readonly number[], value: number): number =>
    list.filter(item => item === value).length;
  return values.map(value => ({value, nA: countIn(a, value), nB: countIn(b, value)}));
}

/** Equal keys; numbers to 9 digits, or both as near to zero as differences of scores are exact; the same refusal on both sides. */
function expectSame(actual: object, expected: object): void {
  // Rounding both would part two numbers on either side of a tie.
  expect(near(actual, expected)).toEqual(expected);
}

/** `actual`, with what is as good as equal in the words of `expected`. */
function near(actual: unknown, expected: unknown): unknown {
  if (typeof actual === 'number' && typeof expected === 'number') {
    const isNear = Math.abs(actual - expected) <= Math.max(1e-13, 1e-9 * Math.abs(expected));
    return isNear ? expected : actual;
  }
  if (Array.isArray(actual) && Array.isArray(expected)) return actual.map((item, at) => near(item, expected[at]));
  if (typeof actual !== 'object' || actual === null || typeof expected !== 'object' || expected === null) return actual;
  const known: Readonly<Record<string, unknown>> = {...expected};
  return Object.fromEntries(Object.entries(actual).map(([key, item]) => [key, key === 'message' ? known[key] : near(item, known[key])]));
}

describe('groups give what the observations give', () => {
  it('Mann–Whitney, Kolmogorov–Smirnov, quantile and winsorised differences', () => {
    fc.assert(
      fc.property(scores(0), scores(0), (a, b) => {
        const groups = groupsOf(a, b);
        const columns = {
          values: Float64Array.from(groups, ({value}) => value),
          countsA: Float64Array.from(groups, ({nA}) => nA),
          countsB: Float64Array.from(groups, ({nB}) => nB),
        };
        expect(mannWhitneyU({columns})).toEqual(mannWhitneyU({groups}));
        expect(quantileDifference({columns}, {quantile: 0.8})).toEqual(quantileDifference({groups}, {quantile: 0.8}));
        expectSame(mannWhitneyU({groups}), mannWhitneyU({a, b}));
        expectSame(ksTwoSample({groups}), ksTwoSample({a, b}));
        expectSame(
          quantileDifference({groups}, {quantile: 0.8}),
          quantileDifference({a, b}, {quantile: 0.8}),
        );
        expectSame(
          winsorisedMeanDifference({groups}, {upper: 0.9}),
          winsorisedMeanDifference({a, b}, {upper: 0.9}),
        );
      }),
      {numRuns: 60},
    );
  });

  it('box plot and quantile interval', () => {
    fc.assert(
      fc.property(scores(0), x => {
        const groups = groupsOf(x, []).map(({value, nA}) => ({value, count: nA}));
        const columns = {values: Float64Array.from(groups, ({value}) => value), counts: Float64Array.from(groups, ({count}) => count)};
        expect(boxPlot({columns})).toEqual(boxPlot({groups}));
        expectSame(boxPlot({groups}), boxPlot({x}));
        expectSame(quantileCi({groups}, {quantile: 0.9}), quantileCi({x}, {quantile: 0.9}));
      }),
    );
  });

  it('Wilcoxon from differences on the decimal grid', () => {
    fc.assert(
      fc.property(scores(1), fc.constantFrom('wilcox', 'pratt', 'zsplit'), (a, zeroMethod) => {
        const b = a.map((_, i) => a[(i * 7 + 3) % a.length] as number);
        const differences = a.map((value, i) => Math.round(100 * (value - (b[i] as number))) / 100);
        const groups = [...new Set(differences)].map(difference => ({
          difference,
          count: differences.filter(other => other === difference).length,
        }));
        expectSame(wilcoxonSignedRank({groups}, {zeroMethod}), wilcoxonSignedRank({a, b}, {zeroMethod}));
      }),
      {numRuns: 60},
    );
  });
});

describe('columns of groups are refused by name', () => {
  const good = {values: [1, 2], countsA: [1, 0], countsB: [0, 3]};
  it.each([
    ['a list of numbers', {}, {values: [1, 2]}, 'columns.values is'],
    ['a value twice', {values: [2, 2]}, {}, 'columns.values[1] is 2, after 2'],
    ['a value that is no number', {values: [1, Number.NaN]}, {}, 'columns.values[1] is NaN'],
    ['half an observation', {countsA: [1, 0.5]}, {}, 'columns.countsA[1] is 0.5'],
    ['fewer than none', {countsB: [-1, 3]}, {}, 'columns.countsB[0] is -1'],
    ['a column too short', {countsB: [1]}, {}, 'columns.countsB has 1 elements'],
    ['a column missing', {}, {countsA: undefined}, 'columns.countsA is'],
  ])('%s', (_, over, plain, message) => {
    const typed = Object.fromEntries(Object.entries({...good, ...over}).map(([name, column]) => [name, Float64Array.from(column)]));
    const outcome = mannWhitneyU({columns: {...typed, ...plain}} as unknown as Parameters<typeof mannWhitneyU>[0]);
    expect(outcome.status).not.toBe('ok');
    expect('message' in outcome ? outcome.message : '').toContain(message);
  });
});

describe('sufficient statistics give what the observations give', () => {
  it('paired t from n, mean and sd of the differences', () => {
    fc.assert(
      fc.property(scores(3), a => {
        const b = a.map((value, i) => value / 2 + (i % 3));
        const differences = a.map((value, i) => value - (b[i] as number));
        const full = pairedT({a, b}, {alternative: 'greater'});
        fc.pre(full.status === 'ok');
        const sdDifference = Math.sqrt(covariance(differences, differences));
        expectSame(
          pairedT({n: a.length, meanDifference: mean(differences), sdDifference}, {alternative: 'greater'}),
          full,
        );
      }),
    );
  });

  it('Welch and relative lift from moments and from exact integer sums', () => {
    fc.assert(
      fc.property(scores(2), scores(2), (first, second) => {
        const [a, b] = [first, second].map(list => list.map(value => Math.round(value * 100))) as [
          number[],
          number[],
        ];
        const full = welchT({a, b});
        fc.pre(full.status === 'ok' && mean(b) > 0);
        const moments = (x: number[]) => ({n: x.length, mean: mean(x), variance: covariance(x, x)});
        const sums = (x: number[]) => ({
          n: x.length,
          sum: BigInt(x.reduce((all, value) => all + value, 0)),
          sumSquares: BigInt(x.reduce((all, value) => all + value * value, 0)),
        });
        expectSame(welchT({a: moments(a), b: moments(b)}), full);
        expectSame(welchT({a: sums(a), b: sums(b)}), full);
        expectSame(relativeLift({a: sums(a), b: sums(b)}), relativeLift({a, b}));
      }),
    );
  });

  it('ratio metric and CUPED from moments and from exact integer sums', () => {
    fc.assert(
      fc.property(scores(5), scores(5), (first, second) => {
        const pair = (list: number[]) => {
          const y = list.map(value => Math.round(value * 100));
          return {y, x: y.map((value, i) => Math.round(value / 2) + 1 + ((i * i) % 7))};
        };
        const [a, b] = [pair(first), pair(second)];
        const add = (values: number[]): bigint => BigInt(values.reduce((all, value) => all + value, 0));
        const product = (x: number[], y: number[]): bigint =>
          add(x.map((value, i) => value * (y[i] as number)));
        type Columns = {y: number[]; x: number[]};
        const ratioMoments = ({y, x}: Columns) => ({
          n: y.length,
          meanNumerator: mean(y),
          meanDenominator: mean(x),
          varianceNumerator: covariance(y, y),
          varianceDenominator: covariance(x, x),
          covariance: covariance(y, x),
        });
        const cupedSums = ({y, x}: Columns) => ({
          n: y.length,
          sumPost: add(y),
          sumPre: add(x),
          sumPostSquares: product(y, y),
          sumPreSquares: product(x, x),
          sumProducts: product(y, x),
        });
        const ratio = ratioMetric({
          a: {numerator: a.y, denominator: a.x},
          b: {numerator: b.y, denominator: b.x},
        });
        const adjusted = cuped({a: {post: a.y, pre: a.x}, b: {post: b.y, pre: b.x}});
        fc.pre(ratio.status === 'ok' && adjusted.status === 'ok');
        expectSame(ratioMetric({a: ratioMoments(a), b: ratioMoments(b)}), ratio);
        expectSame(cuped({a: cupedSums(a), b: cupedSums(b)}), adjusted);
      }),
    );
  });
});
