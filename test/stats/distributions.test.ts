import {createRequire} from 'node:module';
import {describe, expect, it} from 'vitest';
import {distribution} from '../../src/stats/distribution.ts';
import {hedgesCorrection} from '../../src/stats/gamma-ratio.ts';
import {noncentralTSf} from '../../src/stats/noncentral-t.ts';
import {normal} from '../../src/stats/normal.ts';
import {studentT} from '../../src/stats/student-t.ts';

interface Jstat {
  readonly gammaln: (x: number) => number;
  readonly normal: {readonly cdf: (z: number, mean: number, sd: number) => number; readonly inv: (p: number, mean: number, sd: number) => number};
  readonly studentt: {readonly cdf: (t: number, df: number) => number};
}

// jstat has no types; the product uses its normal quantile where it was measured to be good (src/stats/library.ts).
const {jStat} = createRequire(import.meta.url)('jstat') as {jStat: Jstat};

// mpmath with 40 digits.
const REFERENCE: readonly (readonly [fn: string, args: readonly number[], value: number])[] = [
  ['studentT.sf', [1.3, 0.3], 0.3185291364443249],
  ['studentT.sf', [1e-9, 1.5], 0.499999999659265],
  ['studentT.sf', [3, 9], 0.0074781819552071],
  ['studentT.sf', [36, 200], 1.2317556122303412e-89],
  ['studentT.sf', [20, 5000], 5.702993923812248e-86],
  ['studentT.sf', [7, 1e6], 1.2806120556870395e-12],
  ['studentT.sf', [36, 1e6], 6.366995560199513e-284],
  ['studentT.sf', [5e6, 50], 1.883664823048607e-294],
  ['studentT.quantile', [1e-12, 1], -318309886183.7907],
  ['studentT.quantile', [0.0005, 2.37], -20.55805909806642],
  ['studentT.quantile', [1e-6, 9], -10.7201604099095],
  ['studentT.quantile', [0.025, 60], -2.0002978220142604],
  ['studentT.quantile', [0.4999, 1000], -0.0002507255036228],
  ['studentT.quantile', [0.9999999, 1e6], 5.199374020914423],
  ['normal.sf', [8], 6.220960574271784e-16],
  ['normal.cdf', [-37.5], 4.605353009581955e-308],
  ['normal.quantile', [1e-300], -37.0470962993612],
  ['normal.quantile', [1e-50], -14.933337534788487],
  ['normal.quantile', [1e-10], -6.361340902404056],
  ['normal.quantile', [0.025], -1.9599639845400543],
  ['normal.quantile', [0.4999], -0.000250662830088],
  ['normal.quantile', [0.9999999], 5.199337582290661],
  ['chiSquare.sf', [0.3, 1], 0.5838824207703651],
  ['chiSquare.sf', [3.5999999999999996, 3], 0.30802217155899336],
  ['chiSquare.sf', [120, 40], 6.351918340378976e-10],
  ['chiSquare.sf', [147, 98], 0.00100191031914201],
  ['chiSquare.sf', [270, 300], 0.8926371704246461],
  ['chiSquare.sf', [3000, 2000], 2.204698611388996e-43],
  ['chiSquare.sf', [60600, 60000], 0.04197317110573193],
  ['kolmogorov.sf', [0.3], 0.9999906941986654],
  ['kolmogorov.sf', [0.79], 0.560495104473081],
  ['kolmogorov.sf', [0.81], 0.5279614323123148],
  ['kolmogorov.sf', [1.5], 0.02221796261652512],
  ['kolmogorov.sf', [15], 7.387766136974512e-196],
  // By hand: P(W <= 3) with ranks 1..4 is 5/16; P(U <= 1) with 2 and 3 is 2/10.
  ['signedRank.cdf', [3, 4], 5 / 16],
  ['mannWhitney.cdf', [1, 2, 3], 2 / 10],
];

function relativeError(actual: number, expected: number): number {
  return actual === expected ? 0 : Math.abs(actual / expected - 1);
}

describe('distribution functions', () => {
  it.each(REFERENCE)('%s(%j) keeps 10 digits in both tails', (fn, args, expected) => {
    const result = distribution({fn, args});
    expect(result.status === 'ok' && relativeError(result.value, expected)).toBeLessThan(1e-10);
  });

  it('returns 0, not noise, where the answer is below the smallest double', () => {
    expect(studentT.sf(60, 1000)).toBe(0);
    expect(normal.sf(40)).toBe(0);
  });

  it.each([
    [2, 1, 0.5, 0.2515144157607098],
    [12.7, 1, 3, 0.1861967819923959],
    [4.3, 2, -1, 0.003888548065345075],
    [1.96, 3000, 2.74, 0.7822791702603685],
    [31, 3, 50.1, 0.9500613427416905],
    [1e5, 1, 800, 0.006383008400608213],
    [2, 100, -3, 3.774567830679344e-7],
  ])('noncentral t: P(T > %d), df %d, delta %d', (t, df, delta, expected) => {
    expect(relativeError(noncentralTSf(t, df, delta), expected)).toBeLessThan(1e-12);
  });

  it("Hedges' J has a closed form for small df and tends to 1 − 3/(4df)", () => {
    expect(hedgesCorrection(1)).toBe(0);
    expect(hedgesCorrection(2)).toBeCloseTo(1 / Math.sqrt(Math.PI), 14);
    expect(hedgesCorrection(3)).toBeCloseTo(Math.sqrt(Math.PI / 6), 14);
    expect(1 - hedgesCorrection(1e9)).toBeCloseTo(7.5e-10, 15);
  });
});

describe('jstat, for comparison', () => {
  it('normal tail: 2 % off at z = 8 and 0 from z = 8.5, where ours keeps 10 digits', () => {
    expect(relativeError(jStat.normal.cdf(-5, 0, 1), 2.866515718791939e-7)).toBeLessThan(1e-10);
    expect(relativeError(jStat.normal.cdf(-8, 0, 1), 6.220960574271784e-16)).toBeGreaterThan(0.01);
    expect(jStat.normal.cdf(-8.5, 0, 1)).toBe(0);
    expect(relativeError(normal.cdf(-8.5), 9.479534822203318e-18)).toBeLessThan(1e-13);
  });

  // mpmath with 50 digits, over the whole range in which the product takes jstat's value.
  it.each([
    [0.0001, -3.7190164854556804],
    [0.0002, -3.540083799206145],
    [0.001, -3.0902323061678136],
    [0.0005, -3.290526731491895],
    [0.005, -2.575829303548901],
    [0.01, -2.326347874040841],
    [0.025, -1.9599639845400543],
    [0.05, -1.6448536269514726],
    [0.1, -1.2815515655446004],
    [0.2, -0.8416212335729142],
    [0.3, -0.5244005127080408],
    [0.4, -0.2533471031357997],
    [0.45, -0.12566134685507402],
    [0.49, -0.025068908258711057],
    [0.6, 0.2533471031357997],
    [0.75, 0.6744897501960817],
    [0.9, 1.2815515655446006],
    [0.95, 1.6448536269514722],
    [0.975, 1.9599639845400538],
    [0.99, 2.3263478740408408],
    [0.995, 2.5758293035489004],
    [0.999, 3.090232306167813],
    [0.9995, 3.290526731491926],
    [0.9999, 3.7190164854557084],
  ])('normal quantile of %d: 13 digits, and it is what the product returns', (p, expected) => {
    expect(relativeError(jStat.normal.inv(p, 0, 1), expected)).toBeLessThan(1e-13);
    expect(normal.quantile(p)).toBe(jStat.normal.inv(p, 0, 1));
  });

  it('normal quantile near 1/2 and far out: digits go, so the product takes others', () => {
    expect(relativeError(jStat.normal.inv(0.4999999, 0, 1), -2.506628274703107e-7)).toBeGreaterThan(1e-10);
    expect(relativeError(normal.quantile(0.4999999), -2.506628274703107e-7)).toBeLessThan(1e-14);
    expect(relativeError(jStat.normal.inv(1e-10, 0, 1), -6.361340902404056)).toBeGreaterThan(1e-10);
    expect(normal.quantile(0.5)).toBe(0);
  });

  it('log gamma: 12 digits of the value, but 2e-9 absolute at 1e6, which a difference of two cannot bear', () => {
    expect(relativeError(jStat.gammaln(1_000_010), 12_815_642.724298192)).toBeLessThan(1e-12);
    expect(Math.abs(jStat.gammaln(50) - 144.5657439463449)).toBeGreaterThan(1e-11);
  });

  it('t tail: good to 2e-9 on the near side, useless as 1 − cdf', () => {
    expect(relativeError(jStat.studentt.cdf(-12, 100), 2.197543857802189e-21)).toBeLessThan(1e-8);
    expect(1 - jStat.studentt.cdf(12, 100)).toBe(0);
    expect(relativeError(studentT.cdf(-12, 100), 2.197543857802189e-21)).toBeLessThan(1e-13);
  });

  it('t with many degrees of freedom: 76 % off near 0 at df = 1e7', () => {
    expect(relativeError(jStat.studentt.cdf(-1e-6, 1e7), 0.49999960105772956)).toBeGreaterThan(0.5);
    expect(relativeError(studentT.cdf(-1e-6, 1e7), 0.49999960105772956)).toBeLessThan(1e-14);
  });
});

describe("Student's t quantile where the library has no digits", () => {
  // mpmath with 40 digits.
  it.each([
    [0.49999, 1e8, -0.000025066282811625715],
    [0.50001, 1e15, 2.506628274882087e-5],
    [0.4, 1e15, -0.2533471031357998],
    [0.975, 1e300, 1.9599639845400538],
    [0.25, 1e7, -0.6744897747295752],
  ])('p = %d, df = %d', (p, df, expected) => {
    expect(relativeError(studentT.quantile(p, df), expected)).toBeLessThan(1e-13);
  });

  it('tails out to the largest doubles, and the quantile of a tail is where the tail is', () => {
    expect(studentT.quantile(1e-300, 1.5)).toBeLessThan(-1e199);
    for (const df of [0.5, 1, 2, 3.7, 30, 999, 1e5, 1e6, 1e9]) {
      for (const p of [1e-100, 1e-12, 0.025, 0.4999, 0.5001, 0.9]) {
        const t = studentT.quantile(p, df);
        if (Number.isFinite(t)) expect(relativeError(studentT.cdf(t, df), p), `p = ${p}, df = ${df}`).toBeLessThan(1e-9);
      }
    }
  });
});
