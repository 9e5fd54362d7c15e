/** ClickHouse goes away under load on Kafka: partitions pause, memory stays, nothing is lost, the lag drains. */
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {describe, expect, test} from 'vitest';
import {cliSkipReason, temporaryDirectory} from '../helpers/cli.ts';
import {startCluster, startWarehouse} from './cluster.ts';

/** ASSAY_TEST_OUTAGE_SECONDS=120 is the long form. */
const OUTAGE_SECONDS = Number(process.env['ASSAY_TEST_OUTAGE_SECONDS'] ?? 20);
const EVENTS_PER_POST = 400;
const POST_EVERY_MS = 200;

const missing = await cliSkipReason();
const cluster = missing === null ? await startCluster('outage') : {skipped: missing};

const EXPERIMENT = `experiment: outage
variants: {a: 50, b: 50}
control: a
lifecycle: running
metrics:
  - {key: score, measure: score, aggregate: mean, role: goal, direction: higher}
`;

/** Posts batches of exposures and outcomes until it is stopped; counts what was accepted. */
class Load {
  accepted = 0;
  #isStopped = false;
  readonly #done: Promise<void>;

  constructor(url: string) {
    this.#done = this.#run(url);
  }

  async stop(): Promise<number> {
    this.#isStopped = true;
    await this.#done;
    return this.accepted;
  }

  async #run(url: string): Promise<void> {
    for (let batch = 0; !this.#isStopped; batch++) {
      const events = Array.from({length: EVENTS_PER_POST / 2}, (_, index) => {
        const unit_id = `unit-${batch}-${index}`;
        return [{type: 'exposure', experiment: 'outage', variant: index % 2 === 0 ? 'a' : 'b', unit_id}, {type: 'outcome', unit_id, measures: {score: index}, attributes: {note: 'x'.repeat(200)}}];
      }).flat();
      const response = await fetch(`${url}/v1/events`, {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(events)});
      this.accepted += ((await response.json()) as {accepted: number}).accepted;
      await sleep(POST_EVERY_MS);
    }
  }
}

const rssMib = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The sum of a metric over its labels. */
async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text.split('\n').filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await holds()) return;
    await sleep(500);
  }
  throw new Error(`waited in vain for ${what}`);
}

describe.skipIf('skipped' in cluster || process.platform !== 'linux')(`an outage of ClickHouse of ${OUTAGE_SECONDS} s${'skipped' in cluster ? ` (skipped: ${cluster.skipped})` : ''}`, () => {
  if ('skipped' in cluster) return;

  test('partitions pause, memory stays, nothing is lost and the lag drains', async () => {
    const directory = temporaryDirectory('outage-config');
    mkdirSync(join(directory, 'experiments'));
    writeFileSync(join(directory, 'experiments/outage.yaml'), EXPERIMENT);
    const config = join(directory, 'assay.yaml');
    writeFileSync(config, 'live: {lateness_ms: 2s, slice_ms: 1s}\nclickhouse: {timeout_ms: 5000}\n');
    // A worker gives up soon and pauses; who asks by hand waits, also on a busy machine.
    const patient = join(directory, 'patient.yaml');
    writeFileSync(patient, 'clickhouse: {timeout_ms: 60000}\n');
    const up = await cluster.role(['up', '--port', '0', '--config', config, '--experiments', join(directory, 'experiments')]);
    const door = await cluster.role(['server', '--port', '0', '--config', config]);
    const [url, doorUrl] = [up, door].map(role => /serving on (\S+)/.exec(role.said())?.[1] ?? '') as [string, string];

    const load = new Load(doorUrl);
    await until('facts', async () => (await metric(url, 'assay_sink_rows_total')) > 4 * EVENTS_PER_POST);
    const pausedBefore = await metric(url, 'assay_worker_paused_seconds_total');
    await cluster.warehouse.stop('SIGKILL');

    const rss: number[] = [];
    for (let second = 0; second < OUTAGE_SECONDS; second++) {
      await sleep(1_000);
      rss.push(rssMib(up.pid));
    }
    const backlog = load.accepted - (await metric(url, 'assay_sink_rows_total'));
    const lag = await metric(url, 'assay_log_lag_records');
    await startWarehouse(`${cluster.directory}/warehouse`, cluster.warehousePort);
    await sleep(2_000);
    const accepted = await load.stop();
    await until('the backlog to drain', async () => (await cluster.answer<{n: number}[]>(['query', 'SELECT count() AS n FROM v_outcomes_all']))[0]?.n === accepted / 2);

    const part = Math.max(5, Math.floor(OUTAGE_SECONDS / 2));
    const [first, last] = [mean(rss.slice(0, part)), mean(rss.slice(-part))];
    const paused = (await metric(url, 'assay_worker_paused_seconds_total')) - pausedBefore;
    console.log(`outage ${OUTAGE_SECONDS} s: ${accepted} events, ${backlog} waiting at its end, paused ${paused.toFixed(1)} s, RSS ${first.toFixed(0)} MiB in the first part, ${last.toFixed(0)} MiB in the last`);
    expect(backlog).toBeGreaterThan(10 * EVENTS_PER_POST);
    expect(paused).toBeGreaterThan(0);
    // What an operator is woken by; partitions that are not fetched have a lag too.
    expect(lag).toBeGreaterThan(0);
    expect(last / first).toBeLessThan(1.1);

    type Audit = {mismatch: number; slices_checked: number; gaps: number; ledger: {appended: number; accepted: number}};
    const audits: Audit[] = [];
    await until('slices to close', async () => {
      audits.unshift(await cluster.answer<Audit>(['verify', '--stream', 'live', '--config', patient], {allowed: [0, 3]}));
      return (audits[0]?.slices_checked ?? 0) > 0 && audits[0]?.ledger.accepted === accepted;
    });
    expect(audits[0]).toMatchObject({mismatch: 0, gaps: 0, ledger: {appended: accepted, accepted}});
    const rows = await cluster.answer(['query', 'SELECT count() AS n, uniqExact(unit_id) AS units FROM v_outcomes', '--stream', 'live']);
    expect(rows).toEqual([{n: accepted / 2, units: accepted / 2}]);
  }, (OUTAGE_SECONDS + 180) * 1_000);
});
