import {describe, expect, test} from 'vitest';
import {planOf} from '../../src/analyze/plan.ts';
import type {Sequential} from '../../src/analyze/sequential.ts';
import {power} from '../../src/stats/power.ts';

const DAY = 86_400_000;
const sequentialWith = (n: number, standardError: number | null): Sequential => ({
  interval: {status: 'ok', low: 0, high: 0}, pValue: null, nSmaller: n / 2, n, standardError, method: 'welch',
});

describe('what the present sample can see', () => {
  test('the smallest detectable effect is the one that `power` finds for the same arms', () => {
    const n = 20_000;
    const {mde} = planOf({sequential: sequentialWith(n, Math.sqrt(4 / n)), alpha: 0.05, minEffect: 0, runMs: DAY});
    const solved = power({design: 'welch-t', n: n / 2, power: 0.8, alpha: 0.05}, {solve: 'effectSize'});
    expect(solved.status === 'ok' && solved.effectSize).toBeCloseTo(mde ?? 0, 5);
  });

  test('four times the sample halves it: three more days after one', () => {
    const sequential = sequentialWith(1_000, 0.1);
    const {mde} = planOf({sequential, alpha: 0.05, minEffect: 0, runMs: DAY});
    const plan = planOf({sequential, alpha: 0.05, minEffect: (mde ?? 0) / 2, runMs: DAY});
    expect(plan.n_needed).toBe(4_000);
    expect(plan.days_left).toBeCloseTo(3, 10);
  });

  test('reached: no days left; without a spread or a smallest effect nothing is promised', () => {
    expect(planOf({sequential: sequentialWith(1_000, 0.1), alpha: 0.05, minEffect: 10, runMs: DAY}).days_left).toBe(0);
    expect(planOf({sequential: sequentialWith(1_000, null), alpha: 0.05, minEffect: 1, runMs: DAY})).toMatchObject({mde: null, days_left: null});
    expect(planOf({sequential: sequentialWith(1_000, 0.1), alpha: 0.05, minEffect: 0, runMs: DAY})).toMatchObject({n_needed: null, days_left: null});
  });
});
