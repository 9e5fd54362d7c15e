import {describe, expect, test} from 'vitest';
import {checkHealth, healthFailures, type HealthInputs} from '../../src/analyze/health.ts';
import {seededRng} from '../../src/core/rng.ts';
import {epochMs} from '../../src/core/units.ts';
import {AUDITED, makeExposures} from './fixtures.ts';

function inputs(over: Partial<HealthInputs> = {}): HealthInputs {
  return {
    design: 'split',
    variants: ['a', 'b'],
    exposures: makeExposures({a: 5012, b: 4988}),
    weights: {a: 50, b: 50},
    srmAlpha: 0.001,
    crossoverMax: 0.01,
    audit: AUDITED,
    ...over,
  };
}

const failuresOf = (over: Partial<HealthInputs>) => healthFailures(checkHealth(inputs(over)));

describe('split', () => {
  test('healthy with the p of the golden case', () => {
    const {srm} = checkHealth(inputs());
    expect(srm.status).toBe('healthy');
    expect(srm.p_value).toBeCloseTo(0.8103302566044083, 12);
    expect(srm.observed).toEqual({a: 5012, b: 4988});
  });

  test('a split far from its weights', () => {
    expect(failuresOf({exposures: makeExposures({a: 5300, b: 4700})})).toEqual(['srm_failed']);
  });

  test('says when the split broke: fair for a day, then one arm loses a fifth of its units', () => {
    const hour = 3_600_000;
    const firstSeen = Array.from({length: 48}, (_, i) => ({until: epochMs(i * hour + hour), units: {a: 500, b: i < 24 ? 500 : 400}}));
    const {srm} = checkHealth(inputs({exposures: makeExposures({a: 24_000, b: 21_600}, {firstSeen})}));
    const brokeAt = Date.parse(srm.always_valid?.broke_at ?? '') / hour;
    expect(srm).toMatchObject({status: 'unhealthy', always_valid: {looks: 48}});
    expect(brokeAt).toBeGreaterThan(24);
    expect(brokeAt).toBeLessThan(36);
  });

  test('a fair split looked at 200 times stays healthy, where the fixed-horizon p alarms', () => {
    const seed = 9_100_000;
    let [sequential, fixed] = [0, 0];
    for (let k = 0; k < 200; k++) {
      const rng = seededRng(seed + k);
      const seen = {a: 0, b: 0};
      let isAlarmed = false;
      const firstSeen = Array.from({length: 200}, (_, i) => {
        const units = {a: 0, b: 0};
        for (let unit = 0; unit < 20; unit++) units[rng.next() < 0.5 ? 'a' : 'b']++;
        seen.a += units.a;
        seen.b += units.b;
        const z = (seen.a - seen.b) / Math.sqrt(seen.a + seen.b);
        isAlarmed ||= Math.abs(z) > 2.5758;
        return {until: epochMs(i + 1), units};
      });
      const {srm} = checkHealth(inputs({srmAlpha: 0.01, exposures: makeExposures({...seen}, {firstSeen})}));
      sequential += srm.status === 'unhealthy' ? 1 : 0;
      fixed += isAlarmed ? 1 : 0;
    }
    expect(sequential, `seeds from ${seed}`).toBeLessThanOrEqual(0.01 * 200 + 4 * Math.sqrt(200 * 0.01 * 0.99));
    expect(fixed, `seeds from ${seed}`).toBeGreaterThan(10);
  });

  test('the weights of the phase count, not an even split', () => {
    expect(failuresOf({exposures: makeExposures({a: 9000, b: 1000}), weights: {a: 90, b: 10}})).toEqual([]);
  });

  test('without weights it is not computable and no failure', () => {
    const health = checkHealth(inputs({weights: null, exposures: makeExposures({a: 9000, b: 10})}));
    expect(health.srm).toMatchObject({status: 'not-computable', p_value: null, weights: null});
    expect(healthFailures(health)).toEqual([]);
  });

  test('a paired design has no split to check', () => {
    expect(checkHealth(inputs({design: 'paired'})).srm.status).toBe('not-computable');
  });

  test('traffic in a variant of weight 0, also one the definition no longer names', () => {
    expect(failuresOf({weights: {a: 100, b: 0}})).not.toContain('srm_failed'); // one weighted arm: nothing to compare
    expect(failuresOf({weights: {a: 50, b: 50}, exposures: makeExposures({a: 500, b: 500, ghost: 3})})).toEqual(['srm_failed']);
  });

  test('no traffic at all says why', () => {
    expect(checkHealth(inputs({exposures: makeExposures({})})).srm.reason).toMatch(/^insufficient_data/);
  });
});

describe('crossovers', () => {
  test.each([
    [0, 'healthy'],
    [101, 'healthy'],
    [102, 'unhealthy'],
  ] as const)('%d of 10 000 and themselves are %s', (crossoverUnits, status) => {
    const health = checkHealth(inputs({exposures: makeExposures({a: 5000, b: 5000}, {crossoverUnits})}));
    expect(health.crossovers.status).toBe(status);
  });

  test('no units at all', () => {
    expect(checkHealth(inputs({exposures: makeExposures({})})).crossovers).toEqual({units: 0, share: 0, status: 'healthy'});
  });
});

describe('missing outcomes', () => {
  const missing = (withoutOutcome: Record<string, number>, units: Record<string, number> = {a: 5000, b: 5000}) =>
    checkHealth(inputs({exposures: makeExposures(units, {withoutOutcome})})).missing_outcomes;

  test('arms that lose different shares', () => {
    expect(missing({a: 50, b: 150}).status).toBe('unhealthy');
    expect(failuresOf({exposures: makeExposures({a: 5000, b: 5000}, {withoutOutcome: {a: 50, b: 150}})})).toEqual(['missing_outcomes_differ']);
  });

  test('within chance', () => {
    const {status, p_value} = missing({a: 50, b: 60});
    expect(status).toBe('healthy');
    expect(p_value).toBeGreaterThan(0.1);
  });

  test('none missing, and all missing, are no difference and no p = 1', () => {
    expect(missing({})).toEqual({status: 'healthy', by_variant: {a: 0, b: 0}, p_value: null});
    expect(missing({a: 5000, b: 5000})).toMatchObject({status: 'healthy', p_value: null});
  });

  test('units that may still have their outcome coming are not judged', () => {
    const units = {a: 5000, b: 5000};
    const withoutOutcome = {a: 50, b: 150};
    const due = {graceMs: 60_000, byVariant: {a: {units: 4900, withoutOutcome: 20}, b: {units: 4850, withoutOutcome: 22}}};
    const {missing_outcomes: checked} = checkHealth(inputs({exposures: makeExposures(units, {withoutOutcome, due})}));
    expect(checked).toMatchObject({status: 'healthy', by_variant: withoutOutcome, grace_ms: 60_000, judged: {a: {units: 4900, without_outcome: 20}}});
  });

  test('one arm alone cannot be compared', () => {
    expect(missing({a: 5}, {a: 5000, b: 0}).status).toBe('not-computable');
  });
});

describe('ledger', () => {
  test.each([
    [{mismatch: 0, slices_checked: 5, checked_at: null}, 'healthy'],
    [{mismatch: 1, slices_checked: 5, checked_at: null}, 'unhealthy'],
    [{mismatch: 1, slices_checked: 0, checked_at: null}, 'unhealthy'],
    [{mismatch: null, slices_checked: 0, checked_at: null}, 'not-checked'],
    [{mismatch: 0, slices_checked: 0, checked_at: null}, 'not-checked'],
  ] as const)('%o is %s', (audit, status) => {
    expect(checkHealth(inputs({audit})).ledger.status).toBe(status);
  });
});
