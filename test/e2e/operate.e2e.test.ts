/** What an operator does with one process: look at its metrics, ask the doctor, export, stop, back up, restore. */
import {cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {beforeAll, describe, expect, test} from 'vitest';
import {METRIC_CATALOGUE} from '../../src/observe/metric-catalogue.ts';
import {answerOf, cliSkipReason, ROOT, type Running, runAssay, startAssay, startProcess, temporaryDirectory} from '../helpers/cli.ts';
import {freePort} from '../helpers/free-port.ts';

const missing = await cliSkipReason();

const EXPERIMENT = `experiment: answer-model
hypothesis: v2 raises scores
owner: tests
unit: user
variants: {v1: 50, v2: 50}
control: v1
metrics:
  - {key: score, measure: score, aggregate: mean, role: goal, direction: higher}
analysis: {min_n: 2}
lifecycle: running
`;

type Verified = {readonly mismatch: number; readonly facts: number; readonly slices_checked: number};

describe.skipIf(missing !== null)(`operating assay up${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const home = temporaryDirectory('operate');
  const [data, experiments] = [join(home, 'data'), join(home, 'experiments')];
  const at = ['--data', data];
  let env: Record<string, string>;
  let up: Running;
  let [server, probes] = ['', ''];
  let verdictId = '';

  const verify = (directory: string): Promise<Verified> => answerOf<Verified>(['verify', '--deep', '--data', directory], {env});

  beforeAll(async () => {
    mkdirSync(experiments);
    writeFileSync(join(experiments, 'answer-model.yaml'), EXPERIMENT);
    env = {
      ASSAY_LIVE_LATENESS_MS: '500', ASSAY_LIVE_SLICE_MS: '1000', ASSAY_AUDIT_EVERY_MS: '1000', ASSAY_ANALYSIS_EVERY_MS: '1000',
      ASSAY_CLOSING_EVERY_MS: '200', ASSAY_OBSERVE_PORT: String(await freePort()), ASSAY_SERVER_PORT: String(await freePort()),
    };
    up = startAssay(['up', ...at, '--experiments', experiments], {env});
    server = (await up.waitFor(/serving on (http:\S+)/))[1] ?? '';
    probes = (await up.waitFor(/metrics on (http:\S+)\/metrics/))[1] ?? '';
    const events = Array.from({length: 60}, (_, unit) => [
      {type: 'exposure', experiment: 'answer-model', variant: unit % 2 === 0 ? 'v1' : 'v2', unit_id: `u${unit}`},
      {type: 'outcome', unit_id: `u${unit}`, measures: {score: unit / 60}},
    ]).flat();
    const response = await fetch(`${server}/v1/events`, {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(events)});
    expect(await response.json()).toMatchObject({accepted: 120, errors: []});
    for (let tries = 0; verdictId === '' && tries < 300; tries++) {
      await new Promise(done => setTimeout(done, 100));
      const {verdicts} = (await (await fetch(`${server}/v1/verdicts?experiment=answer-model`)).json()) as {verdicts: {verdict_id: string; n_control: number; n_variant: number; audit: {slices_checked: number}}[]};
      verdictId = verdicts.find(verdict => verdict.n_control + verdict.n_variant === 60 && verdict.audit.slices_checked > 0)?.verdict_id ?? '';
    }
    expect(verdictId).not.toBe('');
  }, 120_000);

  test('every metric shown is one of the catalogue, with its type and labels, on both ports', async () => {
    const rows = new Map(METRIC_CATALOGUE.map(row => [row.name, row]));
    for (const url of [`${server}/metrics`, `${probes}/metrics`]) {
      const text = await (await fetch(url)).text();
      const types = [...text.matchAll(/^# TYPE (assay_\w+) (\w+)$/gm)].map(([, name = '', type = '']) => ({name, type}));
      expect(types.length).toBeGreaterThan(15);
      for (const {name, type} of types) expect(`${name} ${type}`).toBe(`${name} ${rows.get(name)?.type}`);
      for (const [, sample = '', labels = ''] of text.matchAll(/^(assay_\w+)\{([^}]*)\}/gm)) {
        const row = rows.get(sample) ?? rows.get(sample.replace(/_(bucket|sum|count)$/, ''));
        const names = [...labels.matchAll(/(\w+)="/g)].map(([, name]) => name).filter(name => name !== 'le');
        expect([sample, ...names]).toEqual([sample, ...(row?.labels ?? ['?'])]);
      }
      expect(text).toMatch(/^assay_audit_mismatch_total\{stream="live"\} 0$/m);
      expect(text).toMatch(/^assay_decode_records_total\{stream="live",kind="outcome"\} 60$/m);
    }
  });

  test('the probes say that it lives and is ready', async () => {
    expect((await fetch(`${probes}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${probes}/readyz`)).json()).toEqual({status: 'ready', reasons: []});
    expect((await fetch(`${probes}/v1/events`)).status).toBe(404);
  });

  test('the doctor finds the owner, its engine and its server in order', async () => {
    const {healthy, findings} = await answerOf<{healthy: boolean; findings: {check: string; status: string; detail: string}[]}>(['doctor', ...at], {env});
    expect(healthy).toBe(true);
    expect(findings).toContainEqual(expect.objectContaining({check: 'owner', status: 'ok', detail: expect.stringMatching(/assay up\) answers, engine \d+\./)}));
    expect(findings).toContainEqual(expect.objectContaining({check: 'server', status: 'ok'}));
  });

  test('a view is exported while the process runs', async () => {
    const answer = await answerOf<{rows: number; bytes: number}>(['export', 'v_outcomes', '--to', join(home, 'outcomes.parquet'), ...at], {env});
    expect(answer).toMatchObject({rows: 60, bytes: expect.any(Number)});
    expect(existsSync(join(home, 'outcomes.parquet'))).toBe(true);
  });

  test('the ten lines of README.md, as a service that runs them', async () => {
    const [, snippet = ''] = /```js\n(import \{openTracker\}.*?)```/s.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [];
    expect(snippet.trim().split('\n').filter(line => line.trim() !== '').length).toBeLessThanOrEqual(10);
    // Inside the package, so that its own name leads to it.
    const folder = mkdtempSync(join(ROOT, '.assay-readme-'));
    try {
      const calls = "for (let user = 0; user < 20; user++) await answer(`reader-${user}`, 'why?');\nawait tracker.close();\nprocess.stdout.write(JSON.stringify(tracker.counts()));\n";
      writeFileSync(join(folder, 'service.mjs'), `const askModel = async variant => ({model: variant});\n${snippet.replace('http://127.0.0.1:7333', server)}\n${calls}`);
      const {code, stderr, stdout} = await startProcess(process.execPath, [join(folder, 'service.mjs')]).finished;
      expect([code, stderr]).toEqual([0, '']);
      expect(JSON.parse(stdout)).toMatchObject({sent: 40, dropped: 0});
    } finally {
      rmSync(folder, {recursive: true});
    }
    const seen = async (): Promise<number> => {
      const [row] = await answerOf<{n: number}[]>(['query', "SELECT count() AS n FROM v_outcomes WHERE startsWith(unit_id, 'reader-') AND mapContains(measures, 'latency_ms')", ...at], {env});
      return row?.n ?? 0;
    };
    for (let tries = 0; (await seen()) < 20 && tries < 20; tries++) await new Promise(done => setTimeout(done, 200));
    expect(await seen()).toBe(20);
  }, 60_000);

  test('a copy of the stopped directory is a backup: restored elsewhere, the books balance and a verdict is replayed', async () => {
    expect(await up.stop()).toMatchObject({code: 0});
    const before = await verify(data);
    const [backup, restored] = [join(home, 'backup'), join(home, 'restored')];
    cpSync(data, backup, {recursive: true, preserveTimestamps: true});
    rmSync(data, {recursive: true});
    cpSync(backup, restored, {recursive: true, preserveTimestamps: true});
    const after = await verify(restored);
    expect(after).toEqual(before);
    expect(after).toMatchObject({mismatch: 0, facts: 160});
    expect(after.slices_checked).toBeGreaterThan(0);
    expect((await runAssay(['replay', verdictId, '--data', restored], {env})).code).toBe(0);
  }, 180_000);
});
