import {existsSync, readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {gunzipSync} from 'node:zlib';
import {describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import type {AlertTransition} from '../../src/guard/alert-state.ts';
import {backtest} from '../../src/guard/backtest.ts';
import {parseRules} from '../../src/guard/parse-rules.ts';
import {runRules} from '../../src/guard/run-rules.ts';
import type {AlertRow, ReadStore, WindowRow} from '../../src/warehouse/warehouse.ts';

/** Real data of `<repo>/../shared/data`; not part of the project. */
const FOLDER = resolve(import.meta.dirname, '../../../shared/data/azure-llm-2023');

type Request = {readonly at: number; readonly tokens: number};
const HOUR = {from: epochMs(Date.parse('2023-11-16T18:15:00Z')), to: epochMs(Date.parse('2023-11-16T19:15:00Z'))};
const SLICE_MS = 10_000;

const requestsOf = (service: string): Request[] =>
  gunzipSync(readFileSync(join(FOLDER, `AzureLLMInferenceTrace_${service}.csv.gz`))).toString('utf8').trim().split(/\r?\n/).slice(1).map(line => {
    const [at = '', , tokens = ''] = line.split(',');
    return {at: Date.parse(`${at.slice(0, 23).replace(' ', 'T')}Z`), tokens: Number(tokens)};
  });

/** Windows counted from the rows themselves, by none of the code under test. */
function windowsOf(data: Readonly<Record<string, Request[]>>): ReadStore['windows'] {
  return async ({stream, experiment, sizeMs, slideMs, from, to}) => {
    const rows: WindowRow[] = [];
    for (const [variant, requests] of Object.entries(data)) {
      for (let end = Math.ceil((from + 1) / slideMs) * slideMs; end <= to; end += slideMs) {
        const inside = requests.filter(({at}) => at >= end - sizeMs && at < end);
        if (inside.length === 0) continue;
        const sum = inside.reduce((total, {tokens}) => total + tokens, 0);
        rows.push({
          stream, experiment, phase: 1, variant, metric: 'generated_tokens', window_start: epochMs(end - sizeMs), window_end: epochMs(end), n: inside.length, estimated_n: inside.length, sum, mean: sum / inside.length,
          sd: null, min: 0, max: 0, p50: 0, p95: 0, p99: 0, status: 'closed', revision: 0,
        });
      }
    }
    return rows;
  };
}

const RULES = parseRules([{name: 'rush', kind: 'dynamic', metric: 'generated_tokens', statistic: 'n', window: '1m', sigmas: 3, history: 15, direction: 'above'}]);

describe.skipIf(!existsSync(FOLDER))('requests a minute over mean + 3 sd of the 15 minutes before', () => {
  const data = {conv: requestsOf('conv'), code: requestsOf('code')};
  const expected = JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8')).dynamic_threshold_requests_per_minute.alerts as Record<string, {minute: string; n: number; mean: number; sd: number}[]>;
  const span = {stream: 'azure', slideMs: SLICE_MS, experiments: ['services'], rules: RULES};
  const wanted = Object.entries(expected).flatMap(([variant, alerts]) => alerts.map(({minute, n}) => ({variant, minute: new Date(minute).toISOString(), n})));

  test('a replayed hour, looked at every 10 s and restarted at every look, fires at exactly those minutes', async () => {
    const stored: AlertRow[] = [];
    const fired: AlertTransition[] = [];
    const warehouse = {
      windows: windowsOf(data),
      insertAlerts: async (rows: readonly AlertRow[]) => void stored.push(...rows),
      latestAlerts: async () => [...new Map(stored.map(row => [`${row.rule} ${row.variant}`, row])).values()],
      latestVerdicts: async () => [],
    };
    for (let at = HOUR.from; at <= HOUR.to; at = epochMs(at + SLICE_MS)) {
      // Nothing is kept between looks but what is stored; stretches overlap as after a crash.
      fired.push(...(await runRules({...span, warehouse, at, since: epochMs(at - 3 * SLICE_MS)})).filter(({row}) => row.state === 'firing'));
    }
    expect(fired.map(({row}) => ({variant: row.variant, minute: row.window_start, n: row.value}))).toEqual(wanted);
    const [first] = expected['conv'] ?? [];
    expect(fired[0]?.row.threshold).toBeCloseTo((first?.mean ?? 0) + 3 * (first?.sd ?? 0), 9);
    expect(fired[0]?.row.context).toMatchObject({spread: {sigmas: 3, history: 15}, last_values: expect.arrayContaining([['2023-11-16T18:39:00.000Z', 406]])});
  });

  test('the backtest says the same', async () => {
    const episodes = await backtest({...span, ...HOUR, warehouse: {windows: windowsOf(data)}});
    expect(episodes.map(({variant, window_start, value}) => ({variant, minute: window_start, n: value}))).toEqual(wanted);
    expect(episodes.every(({resolved_at, fired_at}) => resolved_at !== null && Date.parse(resolved_at) - Date.parse(fired_at) === 60_000)).toBe(true);
  });

  test('a bound of 2 sd fires more often, so the minutes are not by accident', async () => {
    const rules = parseRules([{name: 'rush', kind: 'dynamic', metric: 'generated_tokens', statistic: 'n', window: '1m', sigmas: 2, history: 15, direction: 'above'}]);
    expect((await backtest({...span, rules, ...HOUR, warehouse: {windows: windowsOf(data)}})).length).toBeGreaterThan(wanted.length);
  });
});
