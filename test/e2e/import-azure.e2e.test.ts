/** azure-llm-2023: 28 185 real LLM requests of two services, imported through the embedded pipeline. */
import {join} from 'node:path';
import {beforeAll, describe, expect, test} from 'vitest';
import type {Verdict} from '../../src/core/verdict.ts';
import {answerOf, cliSkipReason, ROOT, runAssay, startProcess, temporaryDirectory} from '../helpers/cli.ts';
import {dataSet} from '../helpers/data.ts';
import {expectClose} from './expect-close.ts';
import {AzureMaps, azureWindowErrors, SALTS, type WindowRow, windowsSql} from './import-maps.ts';

const REQUESTS = 28_185;
const azure = dataSet('azure-llm-2023');
const missing = await cliSkipReason();
const absence = missing === null ? azure.absence : ` (skipped: ${missing})`;

type Comparison = {n_a: number; n_b: number; mean_a: number; mean_b: number; sd_a: number; sd_b: number; diff: number; t: number; df: number; p: number; ci95: [number, number]};
type Metric = 'GeneratedTokens' | 'ContextTokens';
type Expected = {
  conv_vs_code: Record<Metric, {welch: Comparison}>;
  aa: {salt: string; srm: {counts: [number, number]; p: number}; by_metric: Record<Metric, Comparison>}[];
};
const COLUMN: Readonly<Record<string, Metric>> = {generated_tokens: 'GeneratedTokens', context_tokens: 'ContextTokens'};

type ImportSummary = {events: number; rows: number; slices_closed: number; slices_revised: number; closed_through: string};
type Audit = {mismatch: number; slices_checked: number; ledger: {appended: number; accepted: number; duplicate: number; dead_lettered: number}};

describe.skipIf(absence !== '')(`azure-llm-2023, embedded${absence}`, () => {
  const expected = (absence === '' ? azure.json('expected.json') : {}) as Expected;
  const directory = temporaryDirectory('azure');
  const maps = new AzureMaps(azure, directory);
  const dataOf = (name: string): string[] => ['--data', join(directory, name)];
  const query = <T>(name: string, sql: string): Promise<T[]> => answerOf<T[]>(['query', sql, ...dataOf(name)]);
  const importInto = (name: string, args: readonly string[]): Promise<ImportSummary> => answerOf(['import', ...args, ...dataOf(name)]);
  const analyze = (name: string, experiment: string): Promise<Verdict[]> => answerOf(['analyze', experiment, ...dataOf(name)]);

  describe('both files and three A/A splits as one stream', () => {
    beforeAll(async () => {
      const summary = await importInto('all', [...maps.services(), ...SALTS.flatMap(salt => maps.same(salt))]);
      // Four exposures and one shared outcome each.
      expect(summary).toMatchObject({events: 5 * REQUESTS, rows: 4 * REQUESTS, slices_revised: 0, data_through: '2023-11-16T19:14:19.928Z', closed_through: '2023-11-17T19:14:20.000Z'});
    }, 180_000);

    test('one-minute and sliding windows: counts and sums exactly, p95 within 1 %, all closed', async () => {
      expect(await azureWindowErrors(azure, sql => query<WindowRow>('all', sql))).toEqual([]);
    }, 60_000);

    test('experiments of one file share its outcomes: one attributed row for each', async () => {
      const rows = await query('all', 'SELECT experiment, count() AS outcomes, uniqExact(event_id) AS ids FROM v_outcomes GROUP BY experiment ORDER BY experiment');
      expect(rows).toEqual(['aa-1', 'aa-2', 'aa-3', 'services'].map(experiment => ({experiment, outcomes: REQUESTS, ids: REQUESTS})));
    }, 60_000);

    test('Welch between the services is what scipy and R say; without weights SRM is not computable', async () => {
      const verdicts = await analyze('all', 'services');
      expect(verdicts.map(({metric}) => metric).sort()).toEqual(['context_tokens', 'generated_tokens']);
      for (const verdict of verdicts) {
        const {welch} = expected.conv_vs_code[COLUMN[verdict.metric] ?? 'GeneratedTokens'];
        expect(verdict).toMatchObject({control: 'conv', variant: 'code', test: 'welch-t', n_control: welch.n_a, n_variant: welch.n_b, srm_p_value: null});
        const [first] = verdict.tests;
        for (const [actual, wanted] of [
          [verdict.mean_control, welch.mean_a], [verdict.mean_variant, welch.mean_b], [verdict.sd_control, welch.sd_a], [verdict.sd_variant, welch.sd_b],
          [verdict.effect_absolute, welch.diff], [verdict.ci_low, welch.ci95[0]], [verdict.ci_high, welch.ci95[1]], [first?.statistic, welch.t], [first?.df, welch.df],
        ] as const) {
          expectClose(actual, wanted);
        }
        // Below the smallest normal double scipy has 0.
        expect(welch.p === 0 ? (verdict.p_value ?? 1) < 1e-300 : verdict.p_value === welch.p).toBe(true);
      }
    }, 60_000);

    test.each(SALTS)('A/A salt %d: no difference, no SRM, nothing shipped or rolled back', async salt => {
      const {srm, by_metric} = expected.aa[salt - 1] ?? {srm: {counts: [0, 0], p: 0}, by_metric: {}};
      const verdicts = await analyze('all', `aa-${salt}`);
      expect(verdicts).toHaveLength(2);
      for (const verdict of verdicts) {
        const wanted = (by_metric as Expected['aa'][number]['by_metric'])[COLUMN[verdict.metric] ?? 'GeneratedTokens'];
        expect([verdict.n_control, verdict.n_variant]).toEqual(srm.counts);
        expectClose(verdict.srm_p_value, srm.p);
        expectClose(verdict.effect_absolute, wanted.diff);
        expectClose(verdict.p_value, wanted.p);
        expectClose(verdict.tests[0]?.statistic, wanted.t);
        expect(verdict.p_value).toBeGreaterThan(0.05);
        expect(verdict.health.srm.status).toBe('healthy');
        expect(['keep_running', 'inconclusive']).toContain(verdict.decision);
      }
    }, 60_000);
  });

  describe('at 10 000 times its speed', () => {
    beforeAll(async () => {
      expect(await importInto('fast', [...maps.services(), '--speed', '10000'])).toMatchObject({events: 2 * REQUESTS, slices_revised: 0});
    }, 120_000);

    test('the windows are the same', async () => {
      expect(await azureWindowErrors(azure, sql => query<WindowRow>('fast', sql))).toEqual([]);
    }, 60_000);

    test('imported twice: the same numbers, and the ledger counts every duplicate', async () => {
      const before = await query<WindowRow>('fast', windowsSql(300, 60));
      await importInto('fast', maps.services());
      expect(await query<WindowRow>('fast', windowsSql(300, 60))).toEqual(before);
      const audit = await answerOf<Audit>(['verify', '--deep', ...dataOf('fast')]);
      expect(audit).toMatchObject({mismatch: 0, ledger: {appended: 4 * REQUESTS, accepted: 2 * REQUESTS, duplicate: 2 * REQUESTS, dead_lettered: 0}});
      expect(audit.slices_checked).toBeGreaterThan(300);
    }, 120_000);

    test('a verdict replays to the same bytes; one altered row in the warehouse is found by replay and verify', async () => {
      const [verdict] = await analyze('fast', 'services');
      const id = verdict?.verdict_id ?? '';
      expect(await answerOf(['replay', id, ...dataOf('fast')])).toMatchObject({identical: true, differences: []});

      const alter = `ALTER TABLE outcomes UPDATE measures = CAST(mapUpdate(measures, map('context_tokens', measures['context_tokens'] + 1)), 'Map(LowCardinality(String), Float64)') WHERE unit_id = 'conv-4711' SETTINGS mutations_sync = 2`;
      const tampered = await startProcess(process.execPath, [join(ROOT, 'test/e2e/tamper.mjs'), join(directory, 'fast'), alter]).finished;
      expect([tampered.code, tampered.stderr]).toEqual([0, '']);

      const audit = await runAssay(['verify', '--deep', '--json', ...dataOf('fast')]);
      expect(audit.code).toBe(3);
      expect(JSON.parse(audit.stdout)).toMatchObject({mismatch: 1});
      expect(audit.stderr).toMatch(/slice .*services.*conv.*context_tokens.*stored .*, recomputed /);
      const replayed = await runAssay(['replay', id, '--json', ...dataOf('fast')]);
      expect(replayed.code).toBe(3);
      expect(JSON.parse(replayed.stdout)).toMatchObject({identical: false});
    }, 120_000);
  });

  test('what comes into a stream later counts by revisions, before the command returns', async () => {
    const first = await importInto('later', maps.services(['conv']));
    expect(first).toMatchObject({slices_revised: 0});
    const second = await importInto('later', maps.services(['code']));
    expect(second.slices_revised).toBeGreaterThan(100);
    expect(await azureWindowErrors(azure, sql => query<WindowRow>('later', sql))).toEqual([]);
    expect(await query('later', 'SELECT max(revision) > 0 AS revised FROM v_windows(size_s=60, slide_s=60)')).toEqual([{revised: 1}]);
    expect(await answerOf(['verify', '--deep', ...dataOf('later')])).toMatchObject({mismatch: 0});
  }, 180_000);
});
