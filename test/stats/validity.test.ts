/**
 * The error rates that docs/STATISTICS.md claims, by simulation in a short form;
 * `node dist/roles/validity.js` runs it at length and prints every figure.
 * Seeds are fixed, so these figures never change unless the statistics do.
 */
import {existsSync, readFileSync} from 'node:fs';
import {resolve} from 'node:path';
import {describe, expect, test} from 'vitest';
import {COVERAGE_CASES, coverageOf} from '../../src/simulate/validity/coverage.ts';
import {fourErrors, heavy, normal12} from '../../src/simulate/validity/draws.ts';
import {peek} from '../../src/simulate/validity/peeking.ts';
import {cupedUnderNull, pairedPower, ratioUnderNull} from '../../src/simulate/validity/power.ts';
import {watchTwoArms} from '../../src/simulate/validity/two-arms.ts';
import {dynamicGuardAlarms, shareGuardAlarms} from '../../src/simulate/validity/window-guards.ts';

const FILE = resolve(import.meta.dirname, '../../../shared/cases/stats/validity.json');
const hasFile = existsSync(FILE);

type Published = {
  readonly scenario: string;
  readonly seed0: number;
  readonly looks: number;
  readonly step: number;
  readonly tuning: number;
  readonly effectInSd: number;
  readonly boundsFor2000Reps: Readonly<Record<string, readonly [number, number]>>;
};
const published: readonly Published[] = hasFile ? JSON.parse(readFileSync(FILE, 'utf8')).peeking : [];
const PEEKING_REPS = 2000;

describe.skipIf(!hasFile)(`peeking, ${PEEKING_REPS} replications with the published seeds${hasFile ? '' : ` (skipped: ${FILE} is absent)`}`, () => {
  test.each(published.map(scenario => [scenario.scenario, scenario] as const))('%s', (name, {seed0, looks, step, tuning, effectInSd, boundsFor2000Reps}) => {
    const result: Readonly<Record<string, number>> = peek({name, reps: PEEKING_REPS, seed0, looks, step, tuning, effectInSd});
    for (const [what, [low, high]] of Object.entries(boundsFor2000Reps)) {
      expect(result[what], `${what}, seeds from ${seed0}`).toBeGreaterThanOrEqual(low);
      expect(result[what], `${what}, seeds from ${seed0}`).toBeLessThanOrEqual(high);
    }
  });
});

describe('A/A, a look after every batch', () => {
  const watched = {reps: 300, looks: 300, step: 20, minN: 200, tuning: 5000, effect: 0};

  test.each([
    ['normal', normal12, 51_000_000],
    ['skewed', heavy, 52_000_000],
  ] as const)('%s outcomes: the confidence sequence keeps alpha, a plain interval does not', (name, draw, seed0) => {
    const {confidenceSequence, fixedHorizon} = watchTwoArms({...watched, name, draw, seed0});
    expect(confidenceSequence, `seeds from ${seed0}`).toBeLessThanOrEqual(0.05 + fourErrors(0.05, watched.reps));
    expect(fixedHorizon, `seeds from ${seed0}`).toBeGreaterThan(0.25);
  });

  test('looked at from n = 2 on, an asymptotic sequence is wrong far more often than alpha: why there is a min_n', () => {
    const watchOne = {reps: 300, seed0: 7_000_000, step: 1, effectInSd: 0};
    const early = peek({...watchOne, name: 'from 2', firstLook: 2, looks: 400, tuning: 10});
    const later = peek({...watchOne, name: 'from 30', firstLook: 30, looks: 371, tuning: 100});
    expect(early.confidenceSequenceAnyLook).toBeGreaterThan(0.15);
    expect(later.confidenceSequenceAnyLook).toBeLessThanOrEqual(0.05 + fourErrors(0.05, watchOne.reps));
  });
});

describe('every 95 % interval covers within Monte-Carlo error', () => {
  const reps = 400;
  test.each(COVERAGE_CASES.map((one, index) => [one.name, one, 60_000_000 + index * 100_000] as const))('%s', (_name, one, seed0) => {
    const {share, computed} = coverageOf(one, {reps, seed0});
    const error = fourErrors(0.95, computed);
    expect(computed).toBeGreaterThan(0.9 * reps);
    expect(share, `seeds from ${seed0}`).toBeGreaterThanOrEqual(0.95 - error - (one.allowance?.below ?? 0));
    expect(share, `seeds from ${seed0}`).toBeLessThanOrEqual(0.95 + error + (one.allowance?.above ?? 0));
  });
});

describe('power', () => {
  test('pairs see what unpaired arms cannot', () => {
    const power = pairedPower({reps: 400, seed0: 70_000_000}, 0.25);
    expect(power.pairedT).toBeGreaterThan(0.3);
    expect(power.wilcoxon).toBeGreaterThan(power.pairedT);
    expect(power.welch).toBeLessThan(0.1);
  });

  test('CUPED leaves 1 − 0.8² of the variance and keeps alpha', () => {
    const {typeI, varianceRatio} = cupedUnderNull({reps: 400, seed0: 71_000_000});
    expect(varianceRatio).toBeCloseTo(0.36, 1);
    expect(typeI).toBeLessThanOrEqual(0.05 + fourErrors(0.05, 400));
  });

  test('requests of one user are not independent: only the delta method keeps alpha', () => {
    const {naivePerRequest, deltaMethod} = ratioUnderNull({reps: 300, seed0: 72_000_000});
    expect(deltaMethod).toBeLessThanOrEqual(0.05 + fourErrors(0.05, 300));
    expect(naivePerRequest).toBeGreaterThan(0.2);
  });
});

describe('false alarms of window guards in a day without a change', () => {
  test('a share well below its threshold never fires, one near it does: the budget is a number to look at', () => {
    const run = {days: 1, seed0: 80_000_000};
    expect(shareGuardAlarms({perSlice: 20, share: 0.05, above: 0.3, minN: 50}, run)).toBe(0);
    expect(shareGuardAlarms({perSlice: 10, share: 0.2, above: 0.3, minN: 50}, run)).toBeGreaterThan(5);
  });

  test('mean ± 3σ of 60 minutes: about 5 a day, ± 2σ about 75', () => {
    expect(dynamicGuardAlarms(3, {days: 2, seed0: 81_000_000})).toBeLessThan(12);
    expect(dynamicGuardAlarms(2, {days: 2, seed0: 81_000_000})).toBeGreaterThan(50);
  });
});
