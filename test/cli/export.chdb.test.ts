import {mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {exportCommand} from '../../src/cli/commands/export.ts';
import type {Invocation, Io} from '../../src/cli/command.ts';
import {loadConfig} from '../../src/config/load.ts';
import {epochMs} from '../../src/core/units.ts';
import type {Platform} from '../../src/roles/platform.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {openS3Store, type S3Store} from '../helpers/s3-store.ts';
import {History, metric, T0, testStream, versionsOf, viewOf} from '../warehouse/closing-histories.ts';
import {type ChdbWarehouse, openChdbWarehouse} from '../warehouse/closing-warehouse.ts';

const skipReason = await chdbSkipReason();
const STREAM = testStream('live');
const VIEW = viewOf({stream: 'live', experiment: 'answer-model', metrics: [metric({key: 'score', measure: 'score'})]});
const SECRET = 'the-secret-of-the-store';

function seed(): History {
  const history = new History(STREAM);
  for (let unit = 0; unit < 40; unit++) {
    const [at, partition, variant] = [unit * 500, unit % 2, unit % 2 === 0 ? 'v1' : 'v2'];
    history.append({kind: 'exposure', at, unitId: `u${unit}`, experiment: 'answer-model', variant}, {arrival: at, partition});
    history.append(
      {kind: 'outcome', at: at + 20, unitId: `u${unit}`, measures: {score: unit / 7}, attributes: {region: unit < 10 ? 'eu' : "o'us"}},
      {arrival: at + 300, partition},
    );
  }
  return history;
}

describe.skipIf(skipReason !== null)('assay export', () => {
  let harness: ChdbWarehouse;
  let store: S3Store;
  const directory = mkdtempSync(join(tmpdir(), 'assay-export-'));

  beforeAll(async () => {
    harness = await openChdbWarehouse();
    store = await openS3Store('the-key');
    await harness.warehouse.mirrorStream(STREAM);
    await harness.warehouse.mirrorVersions(versionsOf(VIEW));
    await harness.warehouse.insertFacts(seed().batch());
    await harness.warehouse.closeSlices({stream: STREAM, views: [VIEW], committed: [], fromSlice: epochMs(T0), throughSlice: epochMs(T0 + 60_000)});
  });
  afterAll(async () => {
    await harness?.close();
    await store?.close();
    rmSync(directory, {recursive: true, force: true});
  });

  async function run(view: string, options: Record<string, unknown>, flags: Record<string, unknown> = {}) {
    const out: string[] = [];
    const io: Io = {out: text => out.push(text), err: () => undefined, cwd: directory, signal: new AbortController().signal, isTerminal: false};
    const config = loadConfig({flags: {'export.s3_endpoint': store.url, 'export.s3_access_key': 'the-key', 'export.s3_secret_key': SECRET, ...flags}, env: {}});
    const invocation: Invocation = {
      args: [view], options: {json: true, ...options}, config, io, isInsideOwner: false,
      platform: () => Promise.resolve({warehouse: harness.warehouse} as Platform),
      ask: () => Promise.reject(new Error('nothing to ask')),
    };
    const code = await exportCommand.run(invocation);
    return {code, answer: JSON.parse(out.join('')) as Record<string, unknown>};
  }

  const everyRow = (from: string): Promise<{rows: string; digest: string}[]> =>
    harness.sql.select(`SELECT toString(count()) AS rows, toString(groupBitXor(cityHash64(event_id, unit_id, variant, toString(event_ts), mapKeys(measures), mapValues(measures)))) AS digest FROM ${from}`);

  test('a view in a Parquet file holds the same rows, read back by the engine', async () => {
    const {code, answer} = await run('v_outcomes', {to: 'outcomes.parquet'});
    const path = join(directory, 'outcomes.parquet');
    expect({code, ...answer}).toMatchObject({code: 0, view: 'v_outcomes', to: 'outcomes.parquet', rows: 40, bytes: readFileSync(path).length});
    expect(readFileSync(path).subarray(0, 4).toString()).toBe('PAR1');
    expect(await everyRow(`file('${path}', 'Parquet')`)).toEqual(await everyRow('v_outcomes'));
    expect(readdirSync(directory)).toEqual(['outcomes.parquet']);
  });

  test('a view with parameters, text ones too, under either name of the option', async () => {
    const cut = T0 + 86_400_000;
    expect((await run('v_windows(size_s=60, slide_s=60)', {to: 'windows.parquet'})).answer['rows']).toBeGreaterThan(0);
    expect((await run(`v_outcomes_at(stream='live', cut_ms=${cut})`, {out: 'at.parquet'})).answer).toMatchObject({to: 'at.parquet', rows: 40});
  });

  test('only some rows, a parameterised view, and a file that is replaced', async () => {
    expect((await run('v_outcomes', {to: 'outcomes.parquet', where: "attributes['region'] = 'eu'"})).answer['rows']).toBe(10);
    expect((await run('v_windows(size_s = 10, slide_s = 10)', {to: 'windows.parquet'})).answer['rows']).toBe(4);
  });

  test('an object in a store that speaks S3, signed and read back', async () => {
    const {answer} = await run('v_outcomes', {to: 's3://cold/2026/outcomes.parquet'});
    expect(answer).toMatchObject({rows: 40, bytes: null});
    expect([...store.objects.keys()]).toEqual(['/cold/2026/outcomes.parquet']);
    expect(store.keysSeen).toEqual(new Set(['the-key']));
  });

  test('what cannot be exported is refused by name, and the secret is never told', async () => {
    await expect(run('outcomes', {to: 'x.parquet'})).rejects.toThrow(/such as v_outcomes/);
    await expect(run('v_outcomes', {})).rejects.toThrow(/--to/);
    await expect(run('v_windows', {to: 'x.parquet'})).rejects.toThrow(/v_windows takes parameters, as in "v_windows\(size_s=60, slide_s=10\)"/);
    await expect(run('v_outcomes', {to: 's3://b/x.parquet'})).rejects.toThrow(/bucket's name of 3 to 63/);
    await expect(run("v_outcomes_at(stream='live') INTO OUTFILE 'x'", {to: 'x.parquet'})).rejects.toThrow(/such as v_outcomes/);
    await expect(run('v_outcomes', {to: 'x.csv'})).rejects.toThrow(/\.parquet/);
    await expect(run('v_outcomes', {to: 'no/such/x.parquet'})).rejects.toThrow(/no folder/);
    await expect(run('v_outcomes', {to: 'x.parquet', where: "1) INTO OUTFILE '/tmp/evil' --"})).rejects.toThrow(/OUTFILE|match/);
    await expect(run('v_outcomes', {to: 'x.parquet', where: '(SELECT count() FROM url(1)) > 0'})).rejects.toThrow(/url/);
    await expect(run('v_nothing', {to: 'x.parquet'})).rejects.toMatchObject({code: 'ASSAY_QUERY_REFUSED'});
    const refused = run('v_outcomes', {to: 's3://cold/x.parquet'}, {'export.s3_access_key': 'another'});
    await expect(refused).rejects.toThrow(/InvalidAccessKeyId|who are you|403/i);
    await expect(refused).rejects.not.toThrow(new RegExp(SECRET));
    expect(readdirSync(directory)).not.toContain('x.parquet');
  });
});
