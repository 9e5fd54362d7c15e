import {afterEach, describe, expect, test} from 'vitest';
import type {Verdict} from '../../src/core/verdict.ts';
import {canaryPlanOf} from '../../src/experiment/canary-plan.ts';
import {verdictGate} from '../../src/guard/canary.ts';
import {evidenceOf} from '../../src/guard/guard-evidence.ts';
import {openWorld, type Truth, type World} from './world.ts';

const SEED = Number(process.env['SEED'] ?? 20261121);
const MINUTE = 60_000;
const YAML = `
experiment: e
variants: {v1: 100, v2: 0}
control: v1
lifecycle: running
metrics:
  - {key: error_rate, aggregate: share, status: [server_error, timeout], role: guardrail, direction: lower}
  - {key: latency, aggregate: p95, role: guardrail, direction: lower}
canary: {variant: v2, steps: [5, 20, 100], hold: 10m, gates: [{metric: latency, below: 200}, {metric: error_rate, below: 0.005}]}
`;
const truth = (v2: (sinceMs: number) => {errorRate: number; latencyMs: number}): Truth => (variant, since) => (variant === 'v2' ? v2(since) : {errorRate: 0.001, latencyMs: 120});

let world: World;
afterEach(() => world?.close());
const verdict = (more: object = {}): Verdict => ({variant: 'v2', phase: world.current().phase, metric: 'latency', role: 'guardrail', decision: 'keep_running', reasons: [], srm_p_value: 0.4, cs_low: -1, cs_high: 1, health: {srm: {status: 'healthy'}}, ...more}) as unknown as Verdict;
const share = (): number => world.current().definition.variants[1]?.weight ?? 0;
/** Runs minute by minute with a verdict of the present phase, as the analysis would write it. */
async function runMinutes(minutes: number, more: object = {}): Promise<void> {
  for (let i = 0; i < minutes; i += 1) {
    world.verdicts = [verdict(more)];
    await world.run(MINUTE);
  }
}

describe('a canary 5 → 20 → 100', () => {
  test(`a healthy version gets to 100 %, each step held and with its evidence (SEED=${SEED})`, async () => {
    world = await openWorld({yaml: YAML, seed: SEED, truth: truth(() => ({errorRate: 0.001, latencyMs: 130}))});
    const shares = [];
    for (let minute = 0; minute < 35; minute += 1) {
      await runMinutes(1);
      shares.push(share());
    }
    expect([shares[0], shares[9], shares[11], shares[18], shares[21], shares[34]]).toEqual([5, 5, 20, 20, 100, 100]);
    expect(world.history().map(({evidence}) => [evidence.action, evidence.step, evidence.phase])).toEqual([['step', 0, 1], ['step', 1, 2], ['promote', 2, 3]]);
    const [, second] = world.history();
    expect(second?.evidence).toMatchObject({metric: 'latency', threshold: 200, window_ms: 600_000, reason: 'every gate passed: on to 20 %'});
    expect(second?.evidence.value).toBeGreaterThan(128);
    expect(second?.evidence.n).toBeGreaterThan(10_000);
    // The evidence is in the version itself.
    expect(second === undefined ? undefined : evidenceOf(second.version)).toEqual(second?.evidence);
    expect(world.share('v2')).toBe(1);
  });

  test.each([
    ['latency', () => ({errorRate: 0.001, latencyMs: 250}), 'latency'],
    ['errors, from the second step on', (since: number) => ({errorRate: since > 12 * MINUTE ? 0.02 : 0.001, latencyMs: 120}), 'error_rate'],
  ])(`an unhealthy one is rolled back for its %s, and stays so`, async (_, v2, metric) => {
    world = await openWorld({yaml: YAML, seed: SEED, truth: truth(v2)});
    await runMinutes(25);
    expect(world.history().at(-1)?.evidence).toMatchObject({action: 'roll_back', variant: 'v2', metric});
    expect(share()).toBe(0);
    expect(world.share('v1')).toBe(1);
  });

  test.each([
    ['no verdict yet', null],
    ['units not split as the weights say', {health: {srm: {status: 'unhealthy'}}, decision: 'unhealthy'}],
    ['an arm without data', {decision: 'no_data'}],
  ])('%s: the step is held, nothing rolled back', async (_, more) => {
    world = await openWorld({yaml: YAML, seed: SEED, truth: truth(() => ({errorRate: 0.001, latencyMs: 120}))});
    if (more === null) await world.run(15 * MINUTE);
    else await runMinutes(15, more);
    expect(world.history().map(({evidence}) => evidence.action)).toEqual(['step']);
    expect(share()).toBe(5);
  });

  test('harm by the always-valid interval rolls back before the hold is over', async () => {
    world = await openWorld({yaml: YAML, seed: SEED, truth: truth(() => ({errorRate: 0.001, latencyMs: 120}))});
    await runMinutes(1);
    await runMinutes(2, {decision: 'roll_back', cs_low: 5, cs_high: 9});
    expect(world.history().at(-1)?.evidence).toMatchObject({action: 'roll_back', reason: 'the always-valid interval of latency shows harm: 5 to 9'});
  });

  test('too few outcomes hold the step', async () => {
    world = await openWorld({yaml: YAML, seed: SEED, perSecond: 0, truth: truth(() => ({errorRate: 1, latencyMs: 900}))});
    await runMinutes(15);
    expect(world.history().map(({evidence}) => evidence.action)).toEqual(['step']);
  });
});

test('a verdict of an earlier phase says nothing about this one', async () => {
  world = await openWorld({yaml: YAML, seed: SEED, truth: truth(() => ({errorRate: 0, latencyMs: 1}))});
  expect(verdictGate([verdict({phase: 9})], {variant: 'v2', phase: 1}).state).toBe('hold');
  expect(canaryPlanOf(world.current().definition)).toMatchObject({holdMs: 600_000, gates: [{metric: 'latency', below: 200, above: null, minN: 50}, {metric: 'error_rate', below: 0.005}]});
});
