/** Guards that compare with control, look at the health score, or at distributions. */
import {afterEach, describe, expect, test} from 'vitest';
import type {Metric} from '../../src/core/experiment.ts';
import {epochMs} from '../../src/core/units.ts';
import {fillMetric, parseDefinitionText, requireDefinition} from '../../src/experiment/definition.ts';
import {toDocument} from '../../src/experiment/to-document.ts';
import {compareWindows} from '../../src/guard/compare-windows.ts';
import {judged} from '../../src/guard/drift.ts';
import {healthScore} from '../../src/guard/health-score.ts';
import type {GuardWindow} from '../../src/warehouse/warehouse.ts';
import {openWorld, type Truth, type World} from './world.ts';

const SEED = Number(process.env['SEED'] ?? 20261121);
const MINUTE = 60_000;
const yaml = (guard: string): string => `
experiment: e
variants: {v1: 60, v2: 30, v3: 10}
control: v1
lifecycle: running
metrics:
  - {key: error_rate, aggregate: share, status: [server_error, timeout], role: guardrail, direction: lower}
  - {key: latency, aggregate: p95, role: guardrail, direction: lower}
health: [{metric: error_rate, best: 0, worst: 0.1, weight: 3}, {metric: latency, best: 100, worst: 500}]
guards: [${guard}]
`;
const COMPARED = '{kind: compare, metric: error_rate, window: 60s, tolerate: {absolute: 0.0005}, action: roll_back}, {kind: compare, metric: latency, window: 60s, tolerate: {relative: 0.15}, action: roll_back}';
const HEALTH = '{kind: health, window: 60s, min_n: 100, action: roll_back, recovery: 1m}';
const from = (sinceMs: number, v2: {errorRate: number; latencyMs: number}): Truth => (variant, since) => (variant === 'v2' && since >= sinceMs ? v2 : {errorRate: 0.01, latencyMs: 100});

let world: World | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});
const actions = (): string[] => world?.history().map(({evidence}) => `${evidence.action} ${evidence.variant}`) ?? [];

describe('against control', () => {
  test.each([
    ['errors beyond 0.05 points', {errorRate: 0.02, latencyMs: 100}, {metric: 'error_rate', threshold: 0.0005}],
    ['a latency beyond 15 %', {errorRate: 0.01, latencyMs: 130}, {metric: 'latency', threshold: 0.15}],
  ])(`%s: the variant is rolled back, with both values as evidence (SEED=${SEED})`, async (_, v2, evidence) => {
    world = await openWorld({yaml: yaml(COMPARED), seed: SEED, truth: from(2 * MINUTE, v2)});
    expect(await world.run(2 * MINUTE)).toEqual([]);
    const [opened] = await world.run(2 * MINUTE);
    expect(opened?.evidence).toMatchObject({action: 'open', variant: 'v2', window_ms: 60_000, ...evidence});
    expect(opened?.evidence.reason).toMatch(/against .* of control/);
    expect(opened?.evidence.value).toBeGreaterThan(evidence.threshold);
    expect(world.alerts).toMatchObject([{experiment: 'e', variant: 'v2', state: 'firing', severity: 'critical', threshold: evidence.threshold}]);
  });

  test(`an hour of A/A at 1 % errors: no action, though single windows differ by more than 0.05 points (SEED=${SEED})`, async () => {
    world = await openWorld({yaml: yaml(COMPARED), seed: SEED, truth: from(0, {errorRate: 0.01, latencyMs: 100})});
    expect(await world.run(60 * MINUTE)).toEqual([]);
  }, 120_000);

  const metric: Metric = fillMetric({key: 'm', aggregate: 'share', status: ['timeout'], role: 'guardrail', direction: 'lower'});
  const row = (mean: number, n: number, more: Partial<GuardWindow> = {}): GuardWindow => ({
    stream: 's', experiment: 'e', phase: 1, variant: 'v', metric: 'm', window_start: epochMs(0), window_end: epochMs(1), n, estimated_n: n, sum: n * mean, mean, sd: null,
    min: 0, max: 1, p50: mean, p95: mean, p99: mean, status: 'provisional', revision: 0, errors: {mean: Math.sqrt((mean * (1 - mean)) / n), p50: 1, p95: 1, p99: 1}, ...more,
  });
  const options = {metric, tolerate: {absolute: 0.0005}, minN: 100, sigmas: 4};

  test.each([
    ['better', 0.01, 0.005, 1e6, 'within'],
    ['as tolerated', 0.01, 0.0104, 1e6, 'within'],
    ['worse for sure', 0.01, 0.012, 1e6, 'worse'],
    ['worse, perhaps by chance', 0.01, 0.012, 1e4, 'unclear'],
    ['too few', 0.01, 0.5, 99, 'inconclusive'],
  ] as const)('%s', (_, control, value, n, state) => {
    expect(compareWindows('v', row(control, n), row(value, n), options).state).toBe(state);
  });

  test('a direction of higher turns it round; a share of control moves with control’s error; nobody to compare with is inconclusive', () => {
    const higher = {...options, metric: {...metric, direction: 'higher' as const}};
    expect(compareWindows('v', row(0.5, 1e6), row(0.4, 1e6), higher).state).toBe('worse');
    expect(compareWindows('v', row(0.5, 1e6), row(0.6, 1e6), higher).state).toBe('within');
    const relative = compareWindows('v', row(0.1, 1e6), row(0.2, 1e6), {...options, tolerate: {relative: 0.15}});
    expect(relative).toMatchObject({state: 'worse', relative: expect.closeTo(1, 9), tolerated: expect.closeTo(0.015, 9)});
    expect(compareWindows('v', undefined, row(0.1, 1e6), options)).toMatchObject({state: 'inconclusive', n_control: 0, n_variant: 1e6});
    expect(compareWindows('v', row(0.1, 1e6), row(0.4, 1e6, {errors: {mean: Number.NaN, p50: 1, p95: 1, p99: 1}}), options).state).toBe('inconclusive');
  });

  test('the health score weighs each metric between worst and best, and says when it has too few outcomes', () => {
    const health = [{metric: 'm', best: 0, worst: 0.1, weight: 3}, {metric: 'k', best: 100, worst: 500, weight: 1}];
    const metrics = [metric, fillMetric({key: 'k', aggregate: 'mean'})];
    const rows = [row(0.02, 1e4), row(200, 1e4, {metric: 'k', errors: {mean: 4, p50: 1, p95: 1, p99: 1}})];
    const found = healthScore('v', rows, {health, metrics, minN: 100, sigmas: 4});
    expect(found).toMatchObject({score: expect.closeTo((3 * 0.8 + 0.75) / 4, 9), grade: 'warning', components: {m: expect.closeTo(0.8, 9), k: expect.closeTo(0.75, 9)}});
    expect(found.best_case).toBeCloseTo((3 * (0.8 + (4 * Math.sqrt(0.02 * 0.98)) / 100 / 0.1) + 0.75 + 16 / 400) / 4, 9);
    expect(healthScore('v', rows.slice(1), {health, metrics, minN: 100, sigmas: 4})).toMatchObject({score: null, grade: null, n: 0, reason: 'm has n = 0; 100 are needed'});
  });
});

describe('the health score as a guard', () => {
  test(`critical: rolled back, tried again, given back once it is well (SEED=${SEED})`, async () => {
    world = await openWorld({yaml: yaml(HEALTH), seed: SEED, truth: (variant, since) => (variant === 'v3' && since < 5 * MINUTE ? {errorRate: 0.06, latencyMs: 450} : {errorRate: 0.01, latencyMs: 120})});
    await world.run(10 * MINUTE);
    expect(actions().slice(0, 2)).toEqual(['open v3', 'half_open v3']);
    expect(actions().at(-1)).toBe('close v3');
    expect(world.history()[0]?.evidence).toMatchObject({threshold: 0.7, reason: expect.stringMatching(/^health score 0\.[0-9]+ \(error_rate /)});
    expect(world.history()[0]?.evidence.value).toBeLessThan(0.5);
    expect(world.alerts.map(({rule, variant, state}) => [rule, variant, state])).toEqual([['guard:e:health:0', 'v3', 'firing'], ['guard:e:health:0', 'v3', 'resolved']]);
  });
});

describe('a drift guard', () => {
  test('asks for the window against control, and acts on a distance that chance does not explain', async () => {
    world = await openWorld({yaml: yaml('{kind: drift, measure: prompt_tokens, window: 5m, min_n: 100, action: roll_back, recovery: 1h}'), seed: SEED, truth: from(0, {errorRate: 0.01, latencyMs: 100})});
    const asked: object[] = [];
    world.drift = given => {
      asked.push(given as object);
      return {n: 5_000, earlier: 10_000, distance: (given as {variant: string}).variant === 'v2' ? 0.2 : 0.01};
    };
    await world.run(1_000);
    expect(actions()).toEqual(['open v2']);
    expect(asked[0]).toMatchObject({measure: 'prompt_tokens', variant: 'v2', base: 'v1', phase: 1});
    expect(world.history()[0]?.evidence).toMatchObject({guard: 'breaker:0', metric: 'prompt_tokens', value: 0.2, threshold: 0.15, n: 5_000, window_ms: 300_000});
  });

  test.each([
    [{distance: 0.2, inside: 5_000, reference: 5_000, above: 0.15, minN: 50}, 'breach'],
    [{distance: 0.15, inside: 5_000, reference: 5_000, above: 0.15, minN: 50}, 'ok'],
    [{distance: 0.3, inside: 60, reference: 60, above: 0.15, minN: 50}, 'inconclusive'],
    [{distance: 0.9, inside: 40, reference: 5_000, above: 0.15, minN: 50}, 'inconclusive'],
    [{distance: null, inside: 500, reference: 500, above: 0.15, minN: 50}, 'inconclusive'],
  ] as const)('%o is %s', (sample, state) => {
    expect(judged(sample).state).toBe(state);
  });
});

describe('how they are written', () => {
  test('every kind reads back as it was written, with its defaults', () => {
    const guards = `${COMPARED}, ${HEALTH}, {kind: drift, measure: x, window: 5m, reference: 1d, action: pause}, {kind: drift, measure: x, window: 5m, action: roll_back}`;
    const definition = requireDefinition(parseDefinitionText(yaml(guards)));
    expect(definition.guards[2]).toMatchObject({kind: 'health', below: 0.7, metric: ''});
    expect(definition.guards[3]).toMatchObject({kind: 'drift', above: 0.15, referenceMs: 86_400_000});
    expect(definition.guards[4]).toMatchObject({referenceMs: null});
    expect(requireDefinition(parseDefinitionText(JSON.stringify(toDocument(definition))))).toEqual(definition);
  });

  test.each([
    ['{kind: compare, metric: latency, window: 60s, action: pause}', 'guards[0].tolerate: got nothing'],
    ['{kind: compare, metric: latency, window: 60s, tolerate: {relative: 0.1}}', 'guards[0].action: a guard of kind compare acts'],
    ['{kind: compare, metric: latency, window: 60s, tolerate: {relative: 0.1}, above: 3, action: pause}', 'guards[0].above: got number 3; a guard of kind compare has none'],
    ['{kind: health, metric: latency, window: 60s, action: pause}', 'guards[0].metric: got text "latency"; a guard of kind health has none'],
    ['{kind: drift, window: 60s, action: pause}', 'guards[0].measure: got nothing'],
    ['{metric: latency, window: 60s, above: 1, tolerate: {absolute: 1}}', 'guards[0].tolerate: got'],
    ['{kind: drfit, measure: x, window: 60s, action: pause}', 'guards[0].kind'],
  ])('%s is refused', (guard, problem) => {
    const parsed = parseDefinitionText(yaml(guard));
    expect(parsed.ok ? [] : parsed.problems.map(({path, message}) => `${path}: ${message}`).join('\n')).toContain(problem);
  });

  test('a health guard without a score, and a score of a metric that is none', () => {
    const text = yaml(HEALTH);
    const without = parseDefinitionText(text.replace(/^health:.*$/m, ''));
    expect(without.ok ? '' : without.problems[0]?.message).toMatch(/no health score/);
    const wrong = parseDefinitionText(text.replace('metric: latency, best: 100', 'metric: latenci, best: 500'));
    expect(wrong.ok ? [] : wrong.problems.map(({path}) => path)).toEqual(['health[1].metric', 'health[1]']);
  });
});
