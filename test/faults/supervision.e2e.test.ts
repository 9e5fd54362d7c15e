/** Each role in a process of its own: killed, drained and started again alone, and a broker that stays away. */
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterAll, describe, expect, test} from 'vitest';
import {startWarehouse} from '../e2e/cluster.ts';
import {answerOf, cliSkipReason, type Running, runAssay, startAssay, temporaryDirectory} from '../helpers/cli.ts';
import {type OwnKafka, startOwnKafka} from '../helpers/kafka-shared.ts';
import {freePort} from '../helpers/free-port.ts';

const missing = await cliSkipReason();
const own = missing === null ? await startOwnKafka() : {skipped: missing};
const EVENTS_PER_POST = 200;

const EXPERIMENT = `experiment: roles
variants: {a: 50, b: 50}
control: a
lifecycle: running
metrics:
  - {key: score, measure: score, aggregate: mean, role: goal, direction: higher}
`;

async function until(what: string | (() => string), holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (await holds()) return;
    await sleep(200);
  }
  throw new Error(`waited in vain for ${typeof what === 'string' ? what : what()}`);
}

describe.skipIf('skipped' in own)(`roles in processes of their own${'skipped' in own ? ` (skipped: ${own.skipped})` : ''}`, () => {
  const kafka = own as OwnKafka;
  const directory = temporaryDirectory('supervision');
  afterAll(() => kafka.stop?.(), 60_000);

  test('each is killed and started alone, a stop drains within its bound, a broker that stays away ends the worker, and nothing is lost', async () => {
    const warehouse = await startWarehouse(join(directory, 'warehouse'), 0);
    mkdirSync(join(directory, 'experiments'));
    writeFileSync(join(directory, 'experiments/roles.yaml'), EXPERIMENT);
    const config = join(directory, 'assay.yaml');
    writeFileSync(config, 'live: {lateness_ms: 2s, slice_ms: 1s}\nkafka: {session_timeout_ms: 3000}\nclickhouse: {timeout_ms: 4000}\n');
    const flags = ['--log', 'kafka', '--brokers', kafka.brokers.join(','), '--warehouse', 'server', '--clickhouse-url', `http://127.0.0.1:${warehouse.port}`, '--config', config];
    const probes = await freePort();
    const start = async (name: 'worker' | 'jobs' | 'server'): Promise<Running> => {
      const env = name === 'worker' ? {ASSAY_OBSERVE_PORT: String(probes)} : {};
      const role = startAssay([name, ...(name === 'server' ? ['--port', '0', '--experiments', join(directory, 'experiments')] : []), ...flags], {env});
      await role.waitFor(/running; stop with Ctrl-C/);
      return role;
    };
    const roles = {server: await start('server'), worker: await start('worker'), jobs: await start('jobs')};
    let units = 0;
    const post = async (): Promise<void> => {
      const url = /serving on (\S+)/.exec(roles.server.said())?.[1];
      const events = Array.from({length: EVENTS_PER_POST / 2}, (_, index) => {
        const unit_id = `unit-${units++}`;
        return [{type: 'exposure', experiment: 'roles', variant: index % 2 === 0 ? 'a' : 'b', unit_id}, {type: 'outcome', unit_id, measures: {score: index}}];
      }).flat();
      const response = await fetch(`${url}/v1/events`, {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(events)});
      expect(await response.json()).toMatchObject({accepted: EVENTS_PER_POST});
    };
    const counted = async (): Promise<number> => (await answerOf<{n: number}[]>(['query', 'SELECT uniqExact(unit_id) AS n FROM v_outcomes_all', ...flags]))[0]?.n ?? 0;
    const isReady = async (): Promise<number> => fetch(`http://127.0.0.1:${probes}/readyz`).then(({status}) => status, () => 0);

    for (const name of ['worker', 'jobs', 'server'] as const) {
      await post();
      await roles[name].stop('SIGKILL');
      if (name !== 'server') await post();
      roles[name] = await start(name);
    }
    await post();
    await until('every event of before to be counted', async () => (await counted()) === units);
    expect(await isReady()).toBe(200);

    // A stop that nothing hinders leaves nothing undone; one that the warehouse hinders ends all the same.
    await post();
    const drained = await roles.worker.stop();
    expect(drained).toMatchObject({code: 0, signal: null});
    expect(drained.stderr).not.toContain('drain incomplete');
    roles.worker = await start('worker');
    await until('the worker to go on', async () => (await counted()) === units);
    warehouse.process.child.kill('SIGSTOP');
    await post();
    await roles.worker.waitFor(/flush delayed/);
    const hindered = await roles.worker.stop();
    expect(hindered).toMatchObject({code: 0, signal: null});
    expect(hindered.stdout + hindered.stderr).toContain('drain incomplete');
    warehouse.process.child.kill('SIGCONT');
    roles.worker = await start('worker');
    await until('what was left to be counted', async () => (await counted()) === units);

    await post();
    await kafka.kill(1);
    await until('readiness to say no', async () => (await isReady()) === 503);
    const ended = await roles.worker.finished;
    expect(ended.code).toBe(1);
    const tries = [...(ended.stdout + ended.stderr).matchAll(/"tries":(\d+)/g)].map(([, count]) => Number(count));
    expect(tries.slice(-5), ended.stdout + ended.stderr).toEqual([1, 2, 3, 4, 5]);
    await kafka.restart(1);
    roles.worker = await start('worker');
    await until('everything to be counted', async () => (await counted()) === units);

    type Audit = {mismatch: number; slices_checked: number; facts: number};
    const audits: Audit[] = [];
    let told = '';
    await until(() => `slices to close (verify said: ${told})`, async () => {
      const {stdout, stderr} = await runAssay(['verify', '--stream', 'live', '--json', ...flags]);
      told = stderr;
      if (stdout === '') return false;
      audits.unshift(JSON.parse(stdout) as Audit);
      return (audits[0]?.slices_checked ?? 0) > 0 && audits[0]?.facts === 2 * units;
    });
    expect(audits[0], told).toMatchObject({mismatch: 0, facts: 2 * units});
  }, 300_000);
});
