import {afterEach, describe, expect, test} from 'vitest';
import type {Guard} from '../../src/core/experiment.ts';
import {advanceBreaker, type BreakerState, dynamicAbove} from '../../src/guard/breaker.ts';
import {openWorld, type Truth, type World} from './world.ts';

const SEED = Number(process.env['SEED'] ?? 20261121);
const MINUTE = 60_000;
const yaml = (guard = '{metric: error_rate, window: 60s, above: 0.30, min_n: 50, action: roll_back, recovery: 1m}'): string => `
experiment: e
variants: {v1: 60, v2: 30, v3: 10}
control: v1
lifecycle: running
metrics:
  - {key: error_rate, aggregate: share, status: [server_error, timeout], role: guardrail, direction: lower}
  - {key: latency, aggregate: p95, role: guardrail, direction: lower}
guards: [${guard}]
`;
const truth = (v2: (sinceMs: number) => number): Truth => (variant, sinceMs) => ({errorRate: variant === 'v2' ? v2(sinceMs) : 0.01, latencyMs: 100});

let world: World;
afterEach(() => world?.close());
const weights = (): number[] => world.current().definition.variants.map(({weight}) => weight);
const actions = (): string[] => world.history().map(({evidence}) => evidence.action);

describe('a circuit breaker on 60/30/10', () => {
  test(`opens when 30 % of v2 fail, moves v2 alone to the fallback, tries again ever later, and closes when v2 is well (SEED=${SEED})`, async () => {
    world = await openWorld({yaml: yaml(), seed: SEED, truth: truth(since => (since >= 2 * MINUTE && since < 9 * MINUTE ? 0.4 : 0.01))});
    expect(await world.run(2 * MINUTE)).toEqual([]);
    const before = world.current();
    const [opened, ...more] = await world.run(55_000);
    expect(more).toEqual([]);
    expect(opened?.evidence).toMatchObject({guard: 'breaker:0', action: 'open', variant: 'v2', metric: 'error_rate', threshold: 0.3, window_ms: 60_000, trips: 0, weight: 30, phase: 1});
    expect(opened?.evidence.value).toBeGreaterThan(0.3);
    expect(opened?.evidence.n).toBeGreaterThan(50);
    expect(weights()).toEqual([90, 0, 10]);
    // Whoever was on another variant stays there.
    before.slots.forEach((owner, slot) => {
      expect(world.current().slots[slot]).toBe(owner === 1 ? 0 : owner);
    });
    expect(world.current().phase).toBe(2);
    await world.run(12 * MINUTE);
    expect(actions()).toEqual(['open', 'half_open', 'open', 'half_open', 'open', 'half_open', 'close']);
    const trips = world.history().flatMap(({evidence}) => (evidence.action === 'open' ? [Number(evidence.retry_at) - Date.parse(evidence.at)] : []));
    expect(trips).toEqual([MINUTE, 2 * MINUTE, 4 * MINUTE]);
    const tried = world.history().find(({evidence}) => evidence.action === 'half_open');
    expect(tried?.version.definition.variants.map(({weight}) => weight)).toEqual([87, 3, 10]);
    expect(weights()).toEqual([60, 30, 10]);
    expect([...world.current().slots]).toEqual([...before.slots]);
  });

  test(`an hour of A/A makes no action, with a static and with a dynamic threshold (SEED=${SEED})`, async () => {
    const both = '{metric: error_rate, window: 60s, above: 0.30, action: roll_back}, {metric: error_rate, window: 60s, above: 0.02, sigmas: 5, min_n: 5000, action: roll_back}';
    world = await openWorld({yaml: yaml(both), seed: SEED, truth: truth(() => 0.01)});
    expect(await world.run(60 * MINUTE)).toEqual([]);
  }, 120_000);

  test.each([20_000, 50_000, 59_000])('outcomes that come through %i ms late are judged by the newest window that has enough of them', async lagMs => {
    world = await openWorld({yaml: yaml('{metric: error_rate, window: 20s, above: 0.30, min_n: 50, action: roll_back, recovery: 10m}'), seed: SEED, truth: truth(since => (since >= 2 * MINUTE ? 0.9 : 0.01))});
    world.lagMs = lagMs;
    expect(await world.run(2 * MINUTE)).toEqual([]);
    const [opened] = await world.run(lagMs + 20_000);
    expect(opened?.evidence).toMatchObject({action: 'open', variant: 'v2'});
    expect(Date.parse(opened?.evidence.window_end ?? '')).toBeLessThanOrEqual(Date.parse(opened?.evidence.at ?? '') - lagMs + 20_000);
  });

  test('a try ends once its own outcomes have come through, however long they take', async () => {
    world = await openWorld({yaml: yaml('{metric: error_rate, window: 20s, above: 0.30, min_n: 50, action: roll_back, recovery: 10s}'), seed: SEED, truth: truth(since => (since < 40_000 ? 0.9 : 0.01))});
    world.lagMs = 40_000;
    await world.run(3 * MINUTE);
    const [tried, closed] = ['half_open', 'close'].map(action => world.history().find(({evidence}) => evidence.action === action)?.evidence);
    expect(Date.parse(closed?.window_end ?? '')).toBeGreaterThanOrEqual(Date.parse(tried?.at ?? '') + 20_000);
    expect(Date.parse(closed?.at ?? '')).toBeGreaterThanOrEqual(Date.parse(tried?.at ?? '') + world.lagMs);
  });

  test('with too few outcomes it does nothing, however bad they are', async () => {
    world = await openWorld({yaml: yaml('{metric: error_rate, window: 60s, above: 0.30, min_n: 1000, action: roll_back}'), seed: SEED, perSecond: 20, truth: truth(() => 1)});
    expect(await world.run(3 * MINUTE)).toEqual([]);
  });

  test('pause is another action: nobody moves, the experiment stops, and nothing tries again', async () => {
    world = await openWorld({yaml: yaml('{metric: error_rate, window: 60s, above: 0.30, action: pause}'), seed: SEED, truth: truth(() => 0.5)});
    await world.run(5 * MINUTE);
    expect(actions()).toEqual(['pause']);
    expect(world.current().definition.lifecycle).toBe('paused');
    expect(weights()).toEqual([60, 30, 10]);
  });

  test('a person’s change of the split wins over the breaker’s memory', async () => {
    world = await openWorld({yaml: yaml(), seed: SEED, truth: truth(since => (since < 20_000 ? 0.5 : 0.01))});
    await world.run(30_000);
    expect(actions()).toEqual(['open']);
    await world.change(current => ({...current, variants: current.variants.map((one, index) => ({...one, weight: [50, 20, 30][index] ?? 0}))}));
    await world.run(10 * MINUTE);
    expect(actions()).toEqual(['open']);
    expect(weights()).toEqual([50, 20, 30]);
  });
});

describe('the state machine', () => {
  const guard: Guard = {metric: 'm', windowMs: 60_000, above: 0.3, below: null, minN: 1, action: 'roll_back', recoveryMs: 1_000};
  const open: BreakerState = {state: 'open', trips: 1, retryAt: 100, weight: 30};
  const tried: BreakerState = {state: 'half_open', trips: 1, since: 0, weight: 30};

  test.each([
    ['closed, calm', {state: 'closed'}, 'ok', 0, null],
    ['closed, inconclusive', {state: 'closed'}, 'inconclusive', 0, null],
    ['closed, breach', {state: 'closed'}, 'breach', 0, 'open'],
    ['open, early', open, 'breach', 99, null],
    ['open, due', open, 'ok', 100, 'half_open'],
    ['tried, inconclusive', tried, 'inconclusive', 1e9, null],
    ['tried, calm but short', tried, 'ok', 59_999, null],
    ['tried, calm for a window', tried, 'ok', 60_000, 'close'],
    ['tried, breach', tried, 'breach', 10, 'open'],
  ] as const)('%s', (_, breaker, state, now, action) => {
    expect(advanceBreaker(breaker as BreakerState, {guard, finding: {state}, now}).action).toBe(action);
  });

  test('recovery doubles up to an hour', () => {
    const waits = [0, 1, 5, 30].map(trips => {
      const step = advanceBreaker({...tried, trips} as BreakerState, {guard, finding: {state: 'breach'}, now: 0});
      return step.action === 'open' ? step.retryAt : 0;
    });
    expect(waits).toEqual([2_000, 4_000, 64_000, 3_600_000]);
  });

  test('a dynamic threshold is never below the written one, and needs ten windows', () => {
    const noisy = Array.from({length: 20}, (_, index) => 0.1 + (index % 2) * 0.02);
    expect(dynamicAbove({...guard, sigmas: 3}, noisy)).toBe(0.3);
    expect(dynamicAbove({...guard, above: 0.05, sigmas: 3}, noisy)).toBeCloseTo(0.11 + 3 * 0.01026, 4);
    expect(dynamicAbove({...guard, above: 0.05, sigmas: 3}, noisy.slice(0, 9))).toBe(0.05);
    expect(dynamicAbove({...guard, above: null, sigmas: 3}, [])).toBeNull();
  });
});
