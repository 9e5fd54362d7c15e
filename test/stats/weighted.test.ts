import {describe, expect, test} from 'vitest';
import {seededRng} from '../../src/core/rng.ts';
import {weightedQuantileDifference, weightedQuantiles} from '../../src/stats/weighted-quantile-difference.ts';
import {weightedRankDifference} from '../../src/stats/weighted-rank-difference.ts';

const SEED = Date.now() % 1_000_000;

describe('weighted quantiles', () => {
  test('are the smallest value that has the share, and a share met exactly is met', () => {
    const {quantile} = weightedQuantiles([{value: 1, weight: 1n}, {value: 2, weight: 0n}, {value: 5, weight: 7n}, {value: 9, weight: 2n}]);
    expect([0, 0.1, 0.100_001, 0.8, 0.800_001, 0.95, 1].map(quantile)).toEqual([1, 1, 5, 5, 9, 9, 9]);
  });

  test(`whole weights are repetitions, whatever their unit (SEED=${SEED})`, () => {
    const rng = seededRng(SEED);
    for (let run = 0; run < 50; run += 1) {
      const groups = Array.from({length: 1 + Math.floor(rng.next() * 12)}, (_, at) => ({value: at * 1.5 - 4, times: 1 + Math.floor(rng.next() * 9)}));
      const expanded = groups.flatMap(({value, times}) => Array.from({length: times}, () => value));
      const {quantile} = weightedQuantiles(groups.map(({value, times}) => ({value, weight: BigInt(times) * 333_333n})));
      for (const percent of [1, 25, 50, 75, 95, 99]) {
        expect(quantile(percent / 100)).toBe(expanded[Math.ceil((percent * expanded.length) / 100) - 1]);
      }
    }
  });

  const arm = (shift: number, {units = 400, variance = 0.95 * 0.05, concentration = 1 / 400} = {}) => ({
    quantiles: weightedQuantiles(Array.from({length: 1_000}, (_, at) => ({value: at + shift, weight: 1n}))),
    units, share: {mean: 0.95, variance}, concentration,
  });

  test('a wider share makes a wider interval, and one that reaches past the data is refused', () => {
    const of = (variance: number) => weightedQuantileDifference({a: arm(10, {variance}), b: arm(0, {variance})}, {quantile: 0.95});
    const [plain, clustered] = [of(0.95 * 0.05), of(4 * 0.95 * 0.05)];
    if (plain.status !== 'ok' || clustered.status !== 'ok') throw new Error('not computable');
    expect(plain.difference).toBe(10);
    // √(0.95·0.05/400) of 1000 evenly spaced values, in each arm.
    expect(plain.standardError / (1_000 * Math.sqrt((2 * 0.95 * 0.05) / 400))).toBeCloseTo(1, 1);
    expect(clustered.standardError / plain.standardError).toBeCloseTo(2, 1);
    expect(of(36 * 0.95 * 0.05)).toMatchObject({status: 'not-computable', reason: 'insufficient_data', message: expect.stringContaining('a has 400 units')});
    expect(weightedQuantileDifference({a: arm(0, {units: 1}), b: arm(0)}, {quantile: 0.95})).toMatchObject({reason: 'insufficient_data'});
  });
});

describe('the weighted rank test', () => {
  test('with one observation a unit and equal weights is that of Brunner and Munzel (scipy.stats.brunnermunzel)', () => {
    const [a, b] = [[3.1, 0.4, 2.2, 5.0, 2.2, 7.5, 1.1], [1.0, 2.2, 0.3, 4.1, 0.9, 2.0]];
    const found = weightedRankDifference({a: placementsOf(a, b), b: placementsOf(b, a)});
    if (found.status !== 'ok') throw new Error(found.message);
    expect(found.statistic).toBeCloseTo(GOLDEN.statistic, 12);
    expect(found.pValue).toBeCloseTo(GOLDEN.pValue, 12);
    expect(found.commonLanguage).toBeCloseTo(GOLDEN.theta, 12);
  });

  test('arms that do not overlap, and single units, are not tested', () => {
    expect(weightedRankDifference({a: placementsOf([5, 6], [1, 2]), b: placementsOf([1, 2], [5, 6])})).toMatchObject({reason: 'zero_variance'});
    expect(weightedRankDifference({a: placementsOf([5], [1, 9]), b: placementsOf([1, 9], [5])})).toMatchObject({reason: 'insufficient_data'});
  });
});

const GOLDEN = {statistic: 1.4007322613495654, pValue: 0.18887914527774502, theta: 0.7142857142857143};

function placementsOf(own: readonly number[], other: readonly number[]) {
  const places = own.map(x => other.reduce((sum, y) => sum + (x > y ? 1 : x === y ? 0.5 : 0), 0) / other.length);
  const mean = places.reduce((sum, place) => sum + place, 0) / own.length;
  return {units: own.length, mean, variance: places.reduce((sum, place) => sum + (place - mean) ** 2, 0) / (own.length - 1)};
}
