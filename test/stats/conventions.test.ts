import {describe, expect, it} from 'vitest';
import {boxPlot} from '../../src/stats/box-plot.ts';
import {chiSquare} from '../../src/stats/chi-square.ts';
import {compositeScore} from '../../src/stats/composite-score.ts';
import {csat} from '../../src/stats/csat.ts';
import {cuped} from '../../src/stats/cuped.ts';
import {dynamicThreshold} from '../../src/stats/dynamic-threshold.ts';
import {ewma} from '../../src/stats/ewma.ts';
import {momentsMerge} from '../../src/stats/moments-merge.ts';
import {multipleComparisons} from '../../src/stats/multiple-comparisons.ts';
import {nps} from '../../src/stats/nps.ts';
import {npsDifference} from '../../src/stats/nps-difference.ts';
import type {Outcome} from '../../src/stats/outcome.ts';
import {pairedT} from '../../src/stats/paired-t.ts';
import {power} from '../../src/stats/power.ts';
import {quantileCi} from '../../src/stats/quantile-ci.ts';
import {ratioMetric} from '../../src/stats/ratio-metric.ts';
import {relativeLift} from '../../src/stats/relative-lift.ts';
import {srm} from '../../src/stats/srm.ts';
import {twoProportion} from '../../src/stats/two-proportion.ts';
import {welchT} from '../../src/stats/welch-t.ts';
import {winsorisedMeanDifference} from '../../src/stats/winsorised-mean-difference.ts';

function ok<T>(outcome: Outcome<T>): T {
  if (outcome.status !== 'ok') throw new Error(outcome.message);
  return outcome;
}

describe('means', () => {
  it("Student's sleep data: t = −4.0621, p = 0.002833 as in R", () => {
    const a = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2];
    const b = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
    const paired = ok(pairedT({a, b}));
    expect(paired.statistic).toBeCloseTo(-4.062127683382037, 12);
    expect(paired.pValue).toBeCloseTo(0.00283289019738427, 12);
    const welch = ok(welchT({a, b}));
    expect(welch.statistic).toBeCloseTo(-1.8608, 4);
    expect(welch.df).toBeCloseTo(17.776, 3);
    expect(welch.pValue).toBeCloseTo(0.07939, 5);
  });

  it('a common offset of a billion changes nothing', () => {
    const a = [0.25, 0.5, 1, 1.75];
    const b = [0, 0.5, 0.75];
    const far = (values: number[]): number[] => values.map(value => value + 2 ** 30);
    expect(ok(welchT({a: far(a), b: far(b)})).statistic).toBeCloseTo(ok(welchT({a, b})).statistic, 14);
    expect(ok(momentsMerge({chunks: [far(a), far(b)]})).variance).toBeCloseTo(
      ok(momentsMerge({chunks: [a, b]})).variance as number,
      14,
    );
  });

  it('an arm around 0 beside one around 8000 keeps the digits of its own mean', () => {
    const b = [0.0123, -0.0139, 0.0021];
    const {lift} = ok(relativeLift({a: [8000, 8000.01, 7999.98], b}));
    expect(lift / ((23_999.99 - 0.0005) / 0.0005)).toBeCloseTo(1, 12);
  });

  it('a constant 0 against a control with spread has no relative error: refused, not infinite', () => {
    expect(relativeLift({a: [0, 0, 0], b: [1, 2, 3]})).toMatchObject({status: 'not-computable', reason: 'zero_variance'});
  });

  it('CUPED: a common offset of a billion in the covariate changes nothing', () => {
    const arms = (offset: number) => ({
      a: {pre: [0.25, 1.5, 2, 3.75].map(x => x + offset), post: [1.5, 2, 3.25, 4].map(x => x + 2 * offset)},
      b: {pre: [0.5, 1, 2.25, 2.5].map(x => x + offset), post: [0.5, 1.75, 2, 3].map(x => x + 2 * offset)},
    });
    expect(ok(cuped(arms(2 ** 30))).difference).toBeCloseTo(ok(cuped(arms(0))).difference, 14);
  });

  it.each([1e-200, 1e200])('a unit of %d changes nothing but the unit', unit => {
    const a = [1, 2, 4, 8];
    const b = [2, 1, 3, 4];
    const scaled = {a: a.map(x => x * unit), b: b.map(x => x * unit)};
    expect(ok(pairedT(scaled)).pValue).toBeCloseTo(ok(pairedT({a, b})).pValue, 13);
    expect(ok(welchT(scaled)).statistic).toBeCloseTo(ok(welchT({a, b})).statistic, 13);
    expect(ok(winsorisedMeanDifference(scaled, {upper: 1})).df).toBeCloseTo(ok(welchT({a, b})).df, 12);
  });

  it('relative lift divides by |control| so that its sign is the sign of the change', () => {
    const result = ok(relativeLift({a: {n: 400, mean: -4, variance: 9}, b: {n: 400, mean: -5, variance: 9}}));
    expect(result.lift).toBeCloseTo(0.2, 14);
    expect(result.statistic).toBeCloseTo(5.205792062953536, 10);
  });

  it('a ratio with denominator 1 everywhere is Welch on the numerators', () => {
    const arm = (numerator: number[]) => ({numerator, denominator: numerator.map(() => 1)});
    const ratio = ok(ratioMetric({a: arm([1, 5, 2, 8]), b: arm([2, 2, 3])}));
    const welch = ok(welchT({a: [1, 5, 2, 8], b: [2, 2, 3]}));
    expect(ratio.statistic).toBeCloseTo(welch.statistic, 13);
    expect(ratio.df).toBeCloseTo(welch.df, 12);
  });

  it('CUPED with a constant covariate is Welch; with the outcome itself as covariate nothing is left', () => {
    const a = [1, 5, 2, 8];
    const b = [2, 2, 3];
    const constant = (post: number[]) => ({post, pre: post.map(() => 0.1)});
    expect(ok(cuped({a: constant(a), b: constant(b)}))).toMatchObject({theta: 0, varianceReduction: 0});
    const perfect = (post: number[]) => ({post, pre: post});
    expect(cuped({a: perfect(a), b: perfect(b)})).toMatchObject({reason: 'zero_variance'});
  });
});

describe('proportions and counts', () => {
  it("Newcombe's example 56/70 against 48/80: 0.0524 to 0.3339", () => {
    const result = ok(twoProportion({a: {successes: 56, n: 70}, b: {successes: 48, n: 80}}));
    expect(result.ci[0]).toBeCloseTo(0.0524, 4);
    expect(result.ci[1]).toBeCloseTo(0.3339, 4);
    expect(result.effectSize.relative).toBeCloseTo(1 / 3, 14);
    expect(
      ok(twoProportion({a: {successes: 3, n: 9}, b: {successes: 0, n: 9}})).effectSize.relative,
    ).toBeNull();
  });

  it('the squared z of two proportions is the chi-square of the table, corrected or not', () => {
    const sides = {a: {successes: 45, n: 200}, b: {successes: 30, n: 210}};
    const table = [
      [45, 155],
      [30, 180],
    ];
    for (const continuity of [false, true]) {
      const z = ok(twoProportion(sides, {continuity}));
      const chi = ok(chiSquare({table}, {yates: continuity}));
      expect(z.statistic ** 2).toBeCloseTo(chi.statistic, 11);
      expect(z.pValue).toBeCloseTo(chi.pValue, 13);
    }
  });

  it('sample ratio: 5200 to 4800 is flagged, traffic in an arm of weight 0 always', () => {
    expect(ok(srm({observed: [5200, 4800], weights: [1, 1]}))).toMatchObject({
      statistic: 16,
      df: 1,
      flagged: true,
    });
    expect(ok(srm({observed: [5000, 5000, 1], weights: [1, 1, 0]}))).toMatchObject({
      df: 1,
      pValue: 0,
      flagged: true,
    });
    expect(ok(srm({observed: [130, 9870], weights: [1, 99]})).flagged).toBe(false);
  });

  it('adjusted p-values: Holm and Benjamini–Hochberg by hand', () => {
    const pValues = [0.01, 0.04, 0.03];
    expect(ok(multipleComparisons({pValues}, {method: 'holm'})).adjusted).toEqual([0.03, 0.06, 0.06]);
    expect(ok(multipleComparisons({pValues}, {method: 'bh'})).adjusted).toEqual([0.03, 0.04, 0.04]);
    expect(ok(multipleComparisons({pValues}, {method: 'bonferroni'})).rejected).toEqual([true, false, false]);
    expect(ok(multipleComparisons({pValues: []})).adjusted).toEqual([]);
  });
});

describe('power', () => {
  it('two arms of 20, one standard deviation apart: 0.868953 as in R (strict)', () => {
    expect(ok(power({design: 'welch-t', effectSize: 1, n: 20, alpha: 0.05})).power).toBeCloseTo(0.868953, 6);
  });

  it('90 % for the same effect needs 22.02 per arm as in R', () => {
    const plan = ok(power({design: 'welch-t', effectSize: 1, power: 0.9}, {solve: 'n'}));
    expect(plan.n).toBeCloseTo(22.0211, 4);
    expect(plan.nCeil).toBe(23);
  });

  it('no effect is found with probability alpha', () => {
    expect(ok(power({design: 'paired-t', effectSize: 0, n: 60})).power).toBeCloseTo(0.05, 12);
    expect(ok(power({design: 'two-proportion', p1: 0.1, p2: 0.1, n: 60, alpha: 0.01})).power).toBeCloseTo(
      0.01,
      12,
    );
  });

  it('what is solved for gives back the power it was solved for', () => {
    for (const design of ['paired-t', 'welch-t', 'two-proportion'] as const) {
      const {n} = ok(
        power({design, effectSize: 0.2, power: 0.8, ratio: 2}, {solve: 'n', alternative: 'greater'}),
      );
      expect(
        ok(power({design, effectSize: 0.2, n: n as number, ratio: 2}, {alternative: 'greater'})).power,
      ).toBeCloseTo(0.8, 9);
      const {effectSize} = ok(power({design, n: 50, power: 0.8}, {solve: 'effectSize', alternative: 'less'}));
      expect(effectSize).toBeLessThan(0);
    }
  });
});

describe('series', () => {
  it('a giant outlier that has left the window leaves no trace', () => {
    const calm = [1, 2, 1.5, 3, 1.2, 1.8, 2.2, 1.1, 1.9];
    const shocked = calm.map((value, i) => (i === 3 ? 1e15 : value));
    const options = {window: 4, k: 3};
    expect(ok(dynamicThreshold({series: shocked}, options)).sd.slice(8)).toEqual(
      ok(dynamicThreshold({series: calm}, options)).sd.slice(8),
    );
  });

  it('a constant series has limits equal to itself and no breach', () => {
    const result = ok(dynamicThreshold({series: new Array<number>(9).fill(5.1)}, {window: 3, k: 0}));
    expect(result.upper.slice(3)).toEqual(new Array(6).fill(5.1));
    expect(result.breach).not.toContain(true);
  });

  it('EWMA chart of the NIST handbook: λ 0.3, start 50, first point 52.0', () => {
    const result = ok(ewma({series: [52, 47, 53]}, {alpha: 0.3, start: 50, limitK: 3, sigma: 2}));
    expect(result.values[0]).toBeCloseTo(50.6, 12);
    expect(result.values[1]).toBeCloseTo(49.52, 12);
    expect(result.upper?.[0]).toBeCloseTo(50 + 3 * 2 * 0.3, 12);
    expect(result.lower?.[1]).toBeCloseTo(50 - 6 * Math.sqrt((0.3 / 1.7) * (1 - 0.7 ** 4)), 12);
    expect(result.breach).toEqual([false, false, false]);
  });

  it('span, half-life and alpha agree; adjusted weights start at the first value', () => {
    const series = [1, 2, 4];
    expect(ok(ewma({series}, {span: 3})).values).toEqual(ok(ewma({series}, {alpha: 0.5})).values);
    expect(ok(ewma({series}, {halfLife: 1})).values).toEqual([1, 1.5, 2.75]);
    expect(ok(ewma({series}, {alpha: 0.5, adjust: true})).values).toEqual([1, 2.5 / 1.5, 5.25 / 1.75]);
  });
});

describe('scores and pictures', () => {
  it('net promoter score and its difference', () => {
    const result = ok(nps({scores: [10, 9, 8, 3]}));
    expect(result).toMatchObject({nps: 25, promoters: 2, passives: 1, detractors: 1});
    expect(result.standardError).toBeCloseTo(100 * Math.sqrt((0.75 - 0.0625) / 4), 12);
    expect(result.ci[1]).toBe(100);
    expect(npsDifference({a: [10, 9], b: [1]})).toMatchObject({reason: 'zero_variance'});
    expect(ok(npsDifference({a: [10, 5], b: [1, 8]})).difference).toBe(50);
  });

  it('satisfaction with Wilson limits that stay inside 0 and 1', () => {
    expect(ok(csat({scores: [4]})).ci).toEqual([expect.closeTo(0.20654931437723745, 12), 1]);
    expect(ok(csat({scores: [1, 2]}, {scaleMax: 10, satisfiedFrom: 8})).ci[0]).toBe(0);
  });

  it('composite score clamps and weighs', () => {
    const metrics = [
      {name: 'p95', value: 9000, worst: 2000, best: 200, weight: 1},
      {name: 'nps', value: 32, worst: -100, best: 100, weight: 3},
    ];
    expect(ok(compositeScore({metrics}))).toMatchObject({score: 0.495, components: {p95: 0, nps: 0.66}});
  });

  it('box plot: whiskers end on observations, outliers repeat as often as they occur', () => {
    const result = ok(boxPlot({x: [2, 3, 4, 5, 6, 30, 30]}));
    expect(result).toMatchObject({q1: 3.5, median: 5, q3: 18, upperWhisker: 30});
    expect(
      ok(
        boxPlot({
          groups: [
            {value: 1, count: 9},
            {value: 50, count: 2},
          ],
        }),
      ).outliers,
    ).toEqual([50, 50]);
    expect(
      ok(
        boxPlot(
          {
            groups: [
              {value: 1, count: 9},
              {value: 50, count: 2},
            ],
          },
          {outliersMax: 1},
        ),
      ),
    ).toMatchObject({outliers: [50], outlierCount: 2});
  });

  it('median of 25: ranks 8 and 18 cover it with 95.67 %', () => {
    const x = Array.from({length: 25}, (_, i) => i + 1);
    const result = ok(quantileCi({x}));
    expect(result).toMatchObject({ci: [8, 18], lowerRank: 8, upperRank: 18});
    expect(result.coverage).toBeCloseTo(0.9567147493362427, 12);
    expect(ok(quantileCi({x: [1, 2, 3]})).ci).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  it('a level that is met exactly is taken: five values, 93.75 %', () => {
    expect(ok(quantileCi({x: [1, 2, 3, 4, 5]}, {confidenceLevel: 0.9375}))).toMatchObject({
      ci: [1, 5],
      coverage: 0.9375,
    });
  });
});
