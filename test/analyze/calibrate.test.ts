import {describe, expect, test} from 'vitest';
import {calibrate, RELABELLINGS} from '../../src/analyze/calibrate.ts';
import type {UnpairedInputs} from '../../src/analyze/unpaired-tests.ts';
import {welchT} from '../../src/stats/welch-t.ts';
import type {ArmTotals, RelabelledArm} from '../../src/warehouse/warehouse.ts';
import {makeMetric, makeRandom, makeTotals} from './fixtures.ts';

const SEEDS = [1, 2, 3, 4];
const ALPHA = 0.05;

/** Control's units, each with eight answers around a level of its own: an A/A log whose answers are far from independent. */
function clusteredUnits(seed: number): number[][] {
  const random = makeRandom(seed);
  const normal = (): number => Array.from({length: 12}, random).reduce((sum, value) => sum + value, -6);
  return Array.from({length: 300}, () => {
    const level = normal();
    return Array.from({length: 8}, () => level + 0.3 * normal());
  });
}

function halvesOf(units: readonly number[][], seed: number): RelabelledArm[] {
  const random = makeRandom(seed + 1_000);
  return Array.from({length: RELABELLINGS}, (_, relabelling) => relabelling).flatMap(relabelling => {
    const isFirst = units.map(() => random() < 0.5);
    return ([0, 1] as const).map(half => ({
      metric: 'score', relabelling, half, totals: makeTotals(String(half), units.filter((_, at) => isFirst[at] === (half === 0))),
    }));
  });
}

/** The planted fault: answers of one unit taken as independent. */
function perAnswer({totals}: UnpairedInputs) {
  const summary = ({outcomes, sumQ, sumSquaresQ}: ArmTotals) => {
    const mean = Number(sumQ) / 1e9 / outcomes;
    return {n: outcomes, mean, variance: (Number(sumSquaresQ) / 1e18 - outcomes * mean * mean) / (outcomes - 1)};
  };
  const result = welchT({a: summary(totals.variant), b: summary(totals.control)});
  return {evidence: result.status === 'ok' ? {p_value: result.pValue} : {}};
}

describe('live self-calibration', () => {
  test.each(SEEDS)('on an A/A log the verdict’s own test errs at about alpha (seed %i)', seed => {
    const calibration = calibrate({metric: makeMetric(), relabelled: halvesOf(clusteredUnits(seed), seed), alpha: ALPHA, cut: 7});
    expect(calibration).toMatchObject({status: 'healthy', computed: RELABELLINGS, relabellings: RELABELLINGS, alpha: ALPHA, cut_ms: 7});
    expect(calibration.rate).toBeLessThan(0.12);
    expect(calibration.low ?? 1).toBeLessThanOrEqual(ALPHA);
    expect(calibration.high ?? 0).toBeGreaterThan(calibration.rate ?? 1);
  });

  test.each(SEEDS)('a test with a wrong variance is found out (seed %i)', seed => {
    const calibration = calibrate({metric: makeMetric(), relabelled: halvesOf(clusteredUnits(seed), seed), alpha: ALPHA, cut: 7, test: perAnswer});
    expect(calibration.status).toBe('unhealthy');
    expect(calibration.rate).toBeGreaterThan(0.3);
    expect(calibration.low).toBeGreaterThan(ALPHA);
  });

  test('what cannot be relabelled says so', () => {
    const few = halvesOf(clusteredUnits(1).slice(0, 10), 1);
    expect(calibrate({metric: makeMetric(), relabelled: few, alpha: ALPHA, cut: 7})).toMatchObject({status: 'not-computable', reason: 'fewer than 20 units in a half of control', rate: null});
    expect(calibrate({metric: makeMetric({aggregate: 'p95'}), relabelled: [], alpha: ALPHA, cut: 7})).toMatchObject({status: 'not-computable', reason: 'quantiles are not sums over units'});
    expect(calibrate({metric: makeMetric(), relabelled: [], alpha: ALPHA, cut: 7})).toMatchObject({status: 'not-computable', computed: 0});
  });
});
