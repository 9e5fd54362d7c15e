/** azure-llm-2023 through real Kafka, six partitions and three workers, each in a process of its own. */
import {describe, expect, test} from 'vitest';
import type {Verdict} from '../../src/core/verdict.ts';
import {cliSkipReason, temporaryDirectory} from '../helpers/cli.ts';
import {dataSet} from '../helpers/data.ts';
import {startCluster} from './cluster.ts';
import {AzureMaps, azureWindowErrors, SALTS, type WindowRow} from './import-maps.ts';

const REQUESTS = 28_185;
const azure = dataSet('azure-llm-2023');
const missing = await cliSkipReason();
const absence = missing === null ? azure.absence : ` (skipped: ${missing})`;
const cluster = absence === '' ? await startCluster('kafka') : {skipped: absence};

describe.skipIf('skipped' in cluster)(`azure-llm-2023 through Kafka${'skipped' in cluster ? ` (skipped: ${cluster.skipped})` : ''}`, () => {
  if ('skipped' in cluster) return;
  const maps = new AzureMaps(azure, temporaryDirectory('kafka-maps'));

  test('three workers', async () => {
    await Promise.all([1, 2, 3].map(() => cluster.role(['worker'])));
  }, 60_000);

  test.each([
    ['at 1 000 times its speed', 'x1000', ['--speed', '1000'], SALTS],
    ['at 10 000 times its speed', 'x10000', ['--speed', '10000'], []],
    ['as fast as it goes', 'unthrottled', [], []],
  ] as const)('%s the windows are exact', async (_, stream, speed, salts) => {
    const files = [...maps.services(), ...salts.flatMap(salt => maps.same(salt))];
    const summary = await cluster.answer(['import', ...files, '--stream', stream, '--partitions', '6', ...speed]);
    expect(summary).toMatchObject({events: (2 + salts.length) * REQUESTS, slices_revised: 0});
    expect(await azureWindowErrors(azure, sql => cluster.answer<WindowRow[]>(['query', sql, '--stream', stream]))).toEqual([]);
  }, 180_000);

  test.each(SALTS)('A/A salt %d: no difference and no SRM', async salt => {
    const verdicts = await cluster.answer<Verdict[]>(['analyze', `aa-${salt}`, '--stream', 'x1000']);
    expect(verdicts).toHaveLength(2);
    for (const verdict of verdicts) {
      expect(verdict.p_value).toBeGreaterThan(0.05);
      expect(verdict).toMatchObject({test: 'welch-t', health: {srm: {status: 'healthy'}, ledger: {status: 'healthy', mismatch: 0}}});
      expect(verdict.srm_p_value).toBeGreaterThan(0.05);
    }
  }, 60_000);

  test('every partition holds events, the books balance, and a verdict replays to the same bytes', async () => {
    const audit = await cluster.answer(['verify', '--deep', '--stream', 'x1000']);
    expect(audit).toMatchObject({mismatch: 0, partitions: 6, gaps: 0, ledger: {appended: 5 * REQUESTS, accepted: 5 * REQUESTS, duplicate: 0, dead_lettered: 0}});
    const rows = await cluster.answer(['query', 'SELECT uniqExact(partition) AS partitions FROM v_outcomes', '--stream', 'x1000']);
    expect(rows).toEqual([{partitions: 6}]);
    const [verdict] = await cluster.answer<Verdict[]>(['analyze', 'services', '--stream', 'x1000']);
    expect(await cluster.answer(['replay', verdict?.verdict_id ?? ''])).toMatchObject({identical: true, differences: []});
  }, 120_000);
});
