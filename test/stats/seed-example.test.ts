import {describe, expect, it} from 'vitest';
import {mannWhitneyU} from '../../src/stats/mann-whitney-u.ts';
import {pairedT} from '../../src/stats/paired-t.ts';
import {welchT} from '../../src/stats/welch-t.ts';
import {wilcoxonSignedRank} from '../../src/stats/wilcoxon-signed-rank.ts';

const A = [0.82, 0.85, 0.8, 0.88, 0.86, 0.83, 0.87, 0.84, 0.85, 0.89];
const B = [0.8, 0.83, 0.79, 0.85, 0.84, 0.81, 0.85, 0.82, 0.83, 0.86];

describe('ten pairs of scores', () => {
  it('paired t = 11.699 with 9 degrees of freedom, p = 9.56e-7', () => {
    const result = pairedT({a: A, b: B});
    expect(result).toMatchObject({status: 'ok', n: 10, df: 9});
    if (result.status !== 'ok') return;
    expect(result.statistic).toBeCloseTo(11.698806305154246, 9);
    expect(result.pValue / 9.558605167909502e-7).toBeCloseTo(1, 9);
    expect(result.meanDifference).toBeCloseTo(0.021, 14);
    expect(result.ci[0]).toBeCloseTo(0.016939303619563945, 13);
    expect(result.effectSize.hedgesGz).toBeCloseTo(3.380868631774604, 10);
  });

  it('Wilcoxon is exact although five decimal differences tie: p = 2/1024', () => {
    const result = wilcoxonSignedRank({a: A, b: B});
    expect(result).toMatchObject({
      status: 'ok',
      method: 'exact',
      wPlus: 55,
      wMinus: 0,
      pValue: 0.001953125,
      hodgesLehmann: 0.02,
    });
  });

  it('swapping the arms turns the sign and keeps the p-value', () => {
    const forth = pairedT({a: A, b: B});
    const back = pairedT({a: B, b: A});
    if (forth.status !== 'ok' || back.status !== 'ok') throw new Error('both must be computable');
    expect(back.statistic).toBe(-forth.statistic);
    expect(back.pValue).toBe(forth.pValue);
    expect(back.ci).toEqual([-forth.ci[1], -forth.ci[0]]);
  });

  it('as independent arms the same scores show nothing', () => {
    const welch = welchT({a: A, b: B});
    const ranks = mannWhitneyU({a: A, b: B});
    if (welch.status !== 'ok' || ranks.status !== 'ok') throw new Error('both must be computable');
    expect(welch.df).toBeCloseTo(17.417763087536372, 9);
    expect(welch.pValue).toBeCloseTo(0.0819937339806076, 12);
    expect(ranks).toMatchObject({u1: 72, u2: 28, method: 'exact'});
    expect(ranks.pValue).toBeCloseTo(0.10014289116456299, 13);
  });
});
