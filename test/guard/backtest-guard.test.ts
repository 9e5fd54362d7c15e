/** What each kind of guard would have done over a service that ran without one, beside what it does while it runs. */
import {afterEach, describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import {backtestGuard} from '../../src/guard/backtest-guard.ts';
import {openWorld, START, type Truth, type World} from './world.ts';

const SEED = Number(process.env['SEED'] ?? 20261121);
const MINUTE = 60_000;
const SLICE_MS = 10_000;
/** v2 has 30 of 100 of 2 000 requests a second. */
const V2_PER_SECOND = 600;

const yaml = (guard = ''): string => `
experiment: e
variants: {v1: 60, v2: 30, v3: 10}
control: v1
lifecycle: running
metrics:
  - {key: error_rate, aggregate: share, status: [server_error, timeout], role: guardrail, direction: lower}
  - {key: latency, measure: latency_ms, aggregate: p95, role: guardrail, direction: lower}
health: [{metric: error_rate, best: 0, worst: 0.1, weight: 3}, {metric: latency, best: 100, worst: 500}]
guards: [${guard}]
`;
const GOOD = {errorRate: 0.01, latencyMs: 100};
const badBetween = (from: number, to: number, bad = {errorRate: 0.2, latencyMs: 400}): Truth => (variant, since) => (variant === 'v2' && since >= from && since < to ? bad : GOOD);

const worlds: World[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map(world => world.close()));
});

async function ran(truth: Truth, {guard = '', minutes = 12}: {guard?: string; minutes?: number} = {}): Promise<World> {
  const world = await openWorld({yaml: yaml(guard), seed: SEED, truth});
  worlds.push(world);
  await world.run(minutes * MINUTE);
  return world;
}

const tried = (world: World, guard: string, {fromMs = 0} = {}) => backtestGuard({...world.past(yaml(guard)), index: 0, from: epochMs(START + fromMs), to: world.now()});

const KINDS = {
  window: '{metric: error_rate, window: 60s, above: 0.05, min_n: 50, action: roll_back, recovery: 1m}',
  sigmas: '{metric: error_rate, window: 20s, above: 0.02, sigmas: 4, min_n: 50, action: roll_back, recovery: 1m}',
  compare: '{kind: compare, metric: error_rate, window: 60s, tolerate: {absolute: 0.0005}, action: roll_back, recovery: 1m}',
  latency: '{kind: compare, metric: latency, window: 60s, tolerate: {relative: 0.15}, action: roll_back, recovery: 1m}',
  health: '{kind: health, window: 60s, min_n: 100, action: roll_back, recovery: 1m}',
} as const;

describe.each(Object.entries(KINDS))(`%s (SEED=${SEED})`, (_, guard) => {
  const truth = badBetween(6 * MINUTE, 7 * MINUTE);

  test('fires where the live guard fires, within the slice that fills, for the same reason', async () => {
    const live = await ran(truth, {guard});
    const [first, ...others] = await tried(await ran(truth), guard);
    const [acted] = live.history();
    expect(acted?.evidence).toMatchObject({action: 'open', variant: 'v2'});
    const {rule, variant, action, fired_at: firedAt, threshold} = first ?? {};
    expect([rule?.startsWith('guard:e:'), variant, action]).toEqual([true, 'v2', 'roll_back']);
    const behind = Date.parse(firedAt ?? '') - Date.parse(acted?.evidence.at ?? '');
    expect(behind).toBeGreaterThanOrEqual(0);
    expect(behind).toBeLessThanOrEqual(SLICE_MS);
    expect(threshold).toBeCloseTo(acted?.evidence.threshold ?? Number.NaN, 2);
    expect(others).toEqual([]);
  });

  test('finds what the live guard did while it was on, at most a slice later', async () => {
    const world = await ran(truth, {guard});
    const opened = world.history().map(({evidence}) => evidence).filter(({action}) => action === 'open');
    const [first] = await tried(world, guard);
    expect(opened.length).toBeGreaterThan(0);
    expect([first?.variant, first?.action]).toEqual(['v2', 'roll_back']);
    expect(Math.abs(Date.parse(first?.fired_at ?? '') - Date.parse(opened[0]?.at ?? ''))).toBeLessThanOrEqual(SLICE_MS);
  });

  test('a service that is well makes it do nothing', async () => {
    expect(await tried(await ran(() => GOOD), guard)).toEqual([]);
  });
});

describe('what it would have prevented', () => {
  test('one failed minute: the outcomes of the minute that the breaker is open, and the harm in them', async () => {
    const [one] = await tried(await ran(badBetween(2 * MINUTE, 4 * MINUTE)), KINDS.window);
    const firedAt = Date.parse(one?.fired_at ?? '');
    const open = (from: number, to: number) => Math.max(0, Math.min(to, START + 4 * MINUTE) - from) / 1_000;
    // Open for a minute, tried for a window, which still fails, then open for two minutes.
    const tries = [[firedAt, firedAt + MINUTE], [firedAt + 2 * MINUTE, firedAt + 4 * MINUTE]] as const;
    const seconds = tries.reduce((sum, [from, to]) => sum + (to - from) / 1_000, 0);
    const bad = tries.reduce((sum, [from, to]) => sum + open(from, to), 0);
    expect(one?.prevented?.outcomes).toBe(seconds * V2_PER_SECOND);
    const [metric] = one?.prevented?.metrics ?? [];
    expect(metric).toMatchObject({metric: 'error_rate', n: seconds * V2_PER_SECOND, control: expect.closeTo(0.01, 2)});
    const wanted = 0.19 * bad * V2_PER_SECOND;
    expect(Math.abs((metric?.excess ?? 0) - wanted)).toBeLessThan(6 * Math.sqrt(0.2 * seconds * V2_PER_SECOND));
    expect(one?.resolved_at).toBe(new Date(firedAt + 5 * MINUTE).toISOString());
  });

  test('still failing at the end: not resolved, and prevented up to there; a quantile has a value and no excess', async () => {
    const world = await ran(badBetween(2 * MINUTE, 60 * MINUTE), {minutes: 3});
    const [one] = await tried(world, KINDS.latency);
    expect(one?.resolved_at).toBeNull();
    expect(one?.prevented?.outcomes).toBe(((world.now() - Date.parse(one?.fired_at ?? '')) / 1_000) * V2_PER_SECOND);
    expect(one?.prevented?.metrics).toMatchObject([{metric: 'latency', value: 400, control: 100, excess: null}]);
  });

  test('every metric of a health score', async () => {
    const [one] = await tried(await ran(badBetween(2 * MINUTE, 4 * MINUTE)), KINDS.health);
    expect(one?.prevented?.metrics.map(({metric}) => metric)).toEqual(['error_rate', 'latency']);
  });
});

describe('the course of a breaker', () => {
  test('a pause lasts until a person resumes', async () => {
    const guard = KINDS.compare.replace('roll_back, recovery: 1m', 'pause');
    const truth = badBetween(2 * MINUTE, 60 * MINUTE);
    const world = await ran(truth, {minutes: 6});
    await world.change(definition => ({...definition, lifecycle: 'paused'}));
    await world.change(definition => ({...definition, lifecycle: 'running'}));
    const resumedAt = world.now();
    await world.run(4 * MINUTE);
    const found = await tried(world, guard);
    expect(found.map(({resolved_at}) => resolved_at)).toEqual([new Date(resumedAt).toISOString(), null]);
    expect(Date.parse(found[1]?.fired_at ?? '')).toBeGreaterThan(resumedAt);
    expect(found.every(({action}) => action === 'pause')).toBe(true);
  });

  test('a stretch that begins in the middle knows nothing of before', async () => {
    const world = await ran(badBetween(2 * MINUTE, 8 * MINUTE));
    const [whole] = await tried(world, KINDS.window);
    const [later] = await tried(world, KINDS.window, {fromMs: 6 * MINUTE});
    expect(Date.parse(whole?.fired_at ?? '')).toBeLessThan(START + 3 * MINUTE + SLICE_MS);
    expect(later?.fired_at).toBe(new Date(Math.ceil((START + 6 * MINUTE + 1) / SLICE_MS) * SLICE_MS).toISOString());
  });
});

test('drift: distances are asked for each half window, some at a time, and chance alone fires nothing', async () => {
  const guard = '{kind: drift, measure: latency_ms, window: 2m, min_n: 100, action: roll_back, recovery: 1h}';
  const world = await ran(() => GOOD);
  const asked: number[] = [];
  world.drift = given => {
    const {variant, at} = given as {variant: string; at: number};
    asked.push(at);
    return {n: 5_000, earlier: 5_000, distance: variant === 'v2' && at >= START + 5 * MINUTE ? 0.3 : 0.02};
  };
  const found = await tried(world, guard);
  expect(found).toMatchObject([{rule: 'guard:e:latency_ms:0', variant: 'v2', value: 0.3, threshold: 0.15, resolved_at: null}]);
  expect(Date.parse(found[0]?.fired_at ?? '')).toBeLessThan(START + 6 * MINUTE);
  expect(found[0]?.prevented?.metrics).toMatchObject([{metric: 'latency'}]);
  expect([...new Set(asked)].every(at => at % MINUTE === 0)).toBe(true);
  world.drift = () => ({n: 5_000, earlier: 5_000, distance: 0.02});
  expect(await tried(world, guard)).toEqual([]);
});
