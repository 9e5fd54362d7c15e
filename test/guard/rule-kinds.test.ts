import {describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import {backtest} from '../../src/guard/backtest.ts';
import {dynamicBounds} from '../../src/guard/dynamic-bounds.ts';
import {evaluateRule} from '../../src/guard/evaluate.ts';
import {parseRules} from '../../src/guard/parse-rules.ts';
import type {Rule} from '../../src/guard/rules.ts';
import {runRules} from '../../src/guard/run-rules.ts';
import type {AlertRow, WindowRow} from '../../src/warehouse/warehouse.ts';
import {makeVerdict} from '../report/make-verdict.ts';
import {makeWindow} from './fixtures.ts';

const MINUTE = 60_000;
const T = 100 * MINUTE;
const AT = epochMs(T);
const rule = (fields: Record<string, unknown>): Rule => {
  const [first] = parseRules([{name: 'r', ...fields}]);
  if (first === undefined) throw new Error('no rule');
  return first;
};
const minute = (index: number, fields: Partial<WindowRow> = {}): WindowRow =>
  makeWindow({window_start: epochMs(T - (index + 1) * MINUTE), window_end: epochMs(T - index * MINUTE), metric: 'tokens', ...fields});

describe('dynamic', () => {
  const dynamic = (fields = {}) => rule({kind: 'dynamic', metric: 'tokens', statistic: 'n', window: '1m', history: 5, ...fields});
  const series = (...newestFirst: number[]): WindowRow[] => newestFirst.flatMap((n, index) => (n === 0 ? [] : [minute(index, {n})]));
  const judged = (one: Rule, rows: WindowRow[]) => evaluateRule(one, {at: AT, windows: rows, verdicts: []});

  test('the bound is mean ± k·σ with n − 1, the window itself left out, and the alert says what it was made from', () => {
    const [found] = judged(dynamic(), series(100, 10, 12, 14, 16, 18));
    expect(found).toMatchObject({state: 'breach', value: 100, threshold: 14 + 3 * Math.sqrt(10), spread: {mean: 14, sd: Math.sqrt(10), sigmas: 3, history: 5}});
    expect(judged(dynamic(), series(23, 10, 12, 14, 16, 18))).toMatchObject([{state: 'ok'}]);
    expect(judged(dynamic({sigmas: 2}), series(21, 10, 12, 14, 16, 18))).toMatchObject([{state: 'breach'}]);
  });

  test('both sides unless one is asked for', () => {
    expect(judged(dynamic(), series(1, 50, 51, 52, 53, 54))).toMatchObject([{state: 'breach', reason: expect.stringContaining('below')}]);
    expect(judged(dynamic({direction: 'above'}), series(1, 50, 51, 52, 53, 54))).toMatchObject([{state: 'ok'}]);
  });

  test('a minute without requests counts 0 once the series has begun, and none before that', () => {
    expect(judged(dynamic(), series(9, 3, 0, 3, 0, 3))).toMatchObject([{spread: {mean: 1.8}}]);
    expect(judged(dynamic(), series(9, 3, 3, 3, 3))).toMatchObject([{state: 'inconclusive', reason: '4 windows before it, 5 are needed'}]);
    expect(judged(dynamic({direction: 'below'}), series(0, 9, 9, 8, 9, 9))).toMatchObject([{state: 'breach', value: 0}]);
  });

  test('means leave empty windows out', () => {
    const one = dynamic({statistic: 'mean', min_n: 0});
    const how = {sigmas: 3, history: 5, seasonMs: null, direction: 'both'} as const;
    expect(dynamicBounds(one, how, {rows: [minute(0, {mean: 9}), minute(1, {mean: 1}), minute(3, {mean: 2}), minute(5, {mean: 3})], at: AT})).toMatchObject({status: 'ok', mean: 2, sd: 1});
  });

  test('a season compares with the same time of earlier days', () => {
    const one = dynamic({season: '1h', history: 2, direction: 'above'});
    const rows = [minute(0, {n: 50}), minute(1, {n: 5}), minute(60, {n: 48}), minute(120 - 1, {n: 7}), minute(120, {n: 52})];
    expect(evaluateRule(one, {at: AT, windows: rows, verdicts: []})).toMatchObject([{state: 'ok', spread: {mean: 50}}]);
  });

  test('a new phase begins the series anew', () => {
    const rows = [minute(0, {n: 90, phase: 2}), ...[1, 2, 3, 4, 5].map(index => minute(index, {n: 10 + index}))];
    expect(judged(dynamic(), rows)).toMatchObject([{state: 'inconclusive'}]);
  });
});

describe('no data', () => {
  const silence = rule({kind: 'no_data', window: '1m'});
  const arms = {experiment: 'answers', variants: ['a', 'b']};
  const expected = [{...arms, since: epochMs(T - 10 * MINUTE)}];

  test('a variant without an outcome in the window breaches, one with data does not', () => {
    expect(evaluateRule(silence, {at: AT, windows: [minute(0, {variant: 'a'})], verdicts: [], expected})).toMatchObject([{variant: 'a', state: 'ok'}, {variant: 'b', state: 'breach', value: 0}]);
  });

  test('an experiment younger than the window is given time', () => {
    expect(evaluateRule(silence, {at: AT, windows: [], verdicts: [], expected: [{...arms, since: epochMs(T - 1_000)}]})).toEqual([]);
  });
});

test('a budget sums all variants, and each tier is a rule with its own severity', () => {
  const tiers = parseRules([{name: 'spend', kind: 'budget', metric: 'tokens', window: '1d', limit: 100}]);
  expect(tiers.map(({name, above, severity}) => [name, above, severity])).toEqual([['spend@50%', 50, 'info'], ['spend@80%', 80, 'warning'], ['spend@100%', 100, 'critical']]);
  const windows = [minute(0, {variant: 'a', sum: 45}), minute(0, {variant: 'b', sum: 40})];
  expect(tiers.map(one => evaluateRule(one, {at: AT, windows, verdicts: []})[0]).map(found => [found?.state, found?.value, found?.variant])).toEqual([['breach', 85, ''], ['breach', 85, ''], ['ok', 85, '']]);
});

test('drift compares the distance of distributions', () => {
  const shift = rule({kind: 'drift', metric: 'tokens', window: '10m'});
  const reading = {experiment: 'answers', variant: 'b', measure: 'tokens', windowMs: 10 * MINUTE, at: AT, n: 500};
  expect(evaluateRule(shift, {at: AT, windows: [], verdicts: [], drifts: [{...reading, distance: 0.16}]})).toMatchObject([{state: 'breach', threshold: 0.15}]);
  expect(evaluateRule(shift, {at: AT, windows: [], verdicts: [], drifts: [{...reading, distance: 0.15}]})).toMatchObject([{state: 'ok'}]);
  expect(evaluateRule(shift, {at: AT, windows: [], verdicts: [], drifts: [{...reading, distance: 0.9, n: 99}]})).toMatchObject([{state: 'inconclusive'}]);
});

test('crossovers and the ledger are read from the newest verdicts', () => {
  const crossed = makeVerdict({health: {...makeVerdict().health, crossovers: {units: 90, share: 0.02, status: 'unhealthy'}}});
  expect(evaluateRule(rule({kind: 'crossovers'}), {at: AT, windows: [], verdicts: [crossed]})).toMatchObject([{state: 'breach', value: 0.02}]);
  const ledger = rule({kind: 'ledger'});
  const value = (audit: {mismatch: number | null; slices_checked: number; checked_at: string | null}) => evaluateRule(ledger, {at: AT, windows: [], verdicts: [makeVerdict({audit})]})[0]?.state;
  expect(value({mismatch: 0, slices_checked: 9, checked_at: 'x'})).toBe('ok');
  expect(value({mismatch: 1, slices_checked: 9, checked_at: 'x'})).toBe('breach');
  expect(value({mismatch: 0, slices_checked: 0, checked_at: 'x'})).toBe('breach');
});

describe('as written', () => {
  test.each([
    [{kind: 'dynamic', metric: 'm', window: '1m', above: 3}, 'rules[0].above: is not known'],
    [{kind: 'dynamic', metric: 'm', window: '1m', sigmas: 0}, 'rules[0].sigmas: must be larger than 0'],
    [{kind: 'dynamic', metric: 'm', window: '1m', history: 1}, 'rules[0].history: must be 2 to 1440'],
    [{kind: 'dynamic', metric: 'm', window: '1m', direction: 'up'}, 'rules[0].direction: must be one of above, below, both, got string'],
    [{kind: 'budget', metric: 'm', window: '1d'}, 'rules[0].limit: must be a number larger than 0'],
    [{kind: 'budget', metric: 'm', window: '1d', limit: 5, tiers: {much: 'critical'}}, 'rules[0].tiers: must map'],
    [{metric: 'm', window: '1500ms', above: 1}, 'rules[0].window: must be whole seconds'],
    [{metric: 'm', window: '1m', above: 1, dimension: {a: 1, b: 2}}, 'rules[0].dimension: must name one attribute'],
    [{kind: 'srm', labels: ['x']}, 'rules[0].labels: must be a map of text to text, got a list'],
    [{kind: 'no_data', window: '1m', metric: 5}, 'rules[0].metric: must be a text that is not empty, got number'],
  ])('%j: %s', (fields, message) => {
    expect(() => parseRules([{name: 'r', ...fields}])).toThrow(message);
  });
});

describe('an alert keeps what a person needs', () => {
  const windowsAt = (request: {from: number; to: number; dimension?: {name: string; value: string}}) =>
    [3, 2, 1, 0].map(index => minute(index, {mean: 10 - index})).filter(row => row.window_end > request.from && row.window_end <= request.to);

  test('labels, annotations with values, last values and the snapshot; a snapshot that fails costs nothing', async () => {
    const stored: AlertRow[] = [];
    const warehouse = {windows: async (request: Parameters<typeof windowsAt>[0]) => windowsAt(request), insertAlerts: async (rows: readonly AlertRow[]) => void stored.push(...rows), latestAlerts: async () => [], latestVerdicts: async () => []};
    const rules = [rule({metric: 'tokens', window: '1m', above: 9, min_n: 1, labels: {team: 'search'}, annotations: {summary: '{{variant}} of {{experiment}} is {{value}} > {{threshold}} ({{unknown}})'}})];
    const request = {warehouse, stream: 'live', slideMs: MINUTE, experiments: ['answers'], rules, at: AT};
    await runRules({...request, snapshot: async () => ({trace_ids: ['t1']})});
    await runRules({...request, snapshot: async () => Promise.reject(new Error('away'))});
    expect(stored[0]).toMatchObject({state: 'firing', context: {labels: {team: 'search'}, annotations: {summary: 'b of answers is 10 > 9 ({{unknown}})'}, trace_ids: ['t1'], last_values: [[new Date(T).toISOString(), 10]]}});
    expect(stored[1]).toMatchObject({state: 'firing', context: {snapshot_error: 'away'}});
  });

  test('a dimension is asked for and named', async () => {
    const asked: unknown[] = [];
    const warehouse = {windows: async (request: Parameters<typeof windowsAt>[0]) => {
      asked.push(request.dimension);
      return windowsAt(request);
    }};
    const rules = [rule({metric: 'tokens', window: '1m', above: 9, min_n: 1, dimension: {region: 'eu'}})];
    expect(await backtest({warehouse, stream: 'live', slideMs: MINUTE, experiments: ['answers'], rules, from: epochMs(T - 3 * MINUTE), to: AT})).toMatchObject([{fired_at: new Date(T).toISOString(), resolved_at: null}]);
    expect(asked).toEqual([{name: 'region', value: 'eu'}]);
  });

  test('what cannot be judged by windows is refused by name', async () => {
    await expect(backtest({warehouse: {windows: async () => []}, stream: 'live', slideMs: MINUTE, experiments: [], rules: [rule({kind: 'srm'})], from: epochMs(0), to: AT})).rejects.toThrow('r (srm) cannot be backtested');
  });
});
