/**
 * How long a change of an experiment takes from the author's command to every process:
 * workers, the server, SDKs over Kafka and over HTTP, each a process of its own but for the
 * SDKs; then the same processes with the broker stopped, which must go on by the last
 * version, and how soon they have the next one once it is back.
 *
 *   node bench/hot-update.mjs [--changes 100] [--workers 2] [--port 29792]
 *
 * Needs a build; starts a broker and a warehouse of its own. A table on stdout, then the
 * summary as JSON in the last line; exit 1 when the slowest p99 is 1 s or more.
 */
import {execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {parseArgs} from 'node:util';
import {NO_METRICS, SILENT_LOGGER} from '../dist/core/telemetry.js';
import {setWeights} from '../dist/experiment/change-experiment.js';
import {parseDefinitionText, requireDefinition} from '../dist/experiment/definition.js';
import {ExperimentRegistry} from '../dist/experiment/registry.js';
import {openKafkaEventLog} from '../dist/log/kafka/kafka-event-log.js';
import {openTracker} from '../dist/roles/sdk.js';
import {SYSTEM_CLOCK, SYSTEM_RNG} from '../dist/roles/system.js';

const {values} = parseArgs({options: {changes: {type: 'string', default: '100'}, workers: {type: 'string', default: '2'}, port: {type: 'string', default: '29792'}}});
const [changes, workers] = [Number(values.changes), Number(values.workers)];
const ROOT = resolve(import.meta.dirname, '..');
const BROKER = join(ROOT, 'scripts/kafka/broker.sh');
const EXPERIMENT = 'answers';
const LIMIT_MS = 1_000;
const directory = mkdtempSync(join(tmpdir(), 'assay-hot-update-'));
const closers = [() => rmSync(directory, {recursive: true, force: true})];
/** Per watcher: version → when it was applied there, epoch ms. */
const applied = new Map();
let isGood = true;

async function main() {
  execFileSync(BROKER, ['start', '1', values.port], {stdio: ['ignore', 2, 2]});
  closers.push(() => execFileSync(BROKER, ['stop', values.port], {stdio: ['ignore', 2, 2]}));
  const brokers = [`127.0.0.1:${values.port}`];
  const warehouse = await start('warehouse', [join(ROOT, 'dist/roles/clickhouse-server.js'), '--data', join(directory, 'warehouse'), '--port', '0'], /"url":"([^"]+)"/);
  const cluster = ['--log', 'kafka', '--brokers', brokers[0], '--warehouse', 'server', '--clickhouse-url', warehouse, '--log-level', 'debug'];
  const role = (name, args, sign) => start(name, [join(ROOT, 'bin/assay.cjs'), ...args, ...cluster], sign);
  const server = await role('server', ['server', '--port', '0'], /serving on (http:\S+)/);
  for (let i = 1; i <= workers; i += 1) await role(`worker ${i}`, ['worker'], /worker running/);
  const trackers = [['SDK Kafka 1', {kafka: {brokers}}], ['SDK Kafka 2', {kafka: {brokers}}], ['SDK HTTP 1', {http: {url: server}}], ['SDK HTTP 2', {http: {url: server}}]]
    .map(([name, options]) => watchTracker(name, openTracker(options)));
  const log = await openKafkaEventLog({brokers, clientId: 'hot-update', clock: SYSTEM_CLOCK, rng: SYSTEM_RNG, logger: SILENT_LOGGER, metrics: NO_METRICS});
  const registry = await ExperimentRegistry.open({log, clock: SYSTEM_CLOCK, logger: SILENT_LOGGER});
  closers.push(() => registry.close().then(() => log.close()));
  await registry.publish({stream: 'live', definition: requireDefinition(parseDefinitionText(`experiment: ${EXPERIMENT}\nvariants: {v1: 60, v2: 40}\ncontrol: v1\nlifecycle: running\n`)), author: 'bench', reason: 'first'});
  await everywhere(1);

  const took = new Map([...applied.keys()].map(name => [name, []]));
  const change = () => setWeights(registry, [{key: 'v1', weight: 20 + Math.floor(Math.random() * 60)}, {key: 'v2', weight: 20 + Math.floor(Math.random() * 60)}], {stream: 'live', experiment: EXPERIMENT, author: 'bench', reason: 'a change'});
  for (let i = 0; i < changes; i += 1) {
    const from = Date.now();
    const {version} = (await change()).version;
    await everywhere(version);
    for (const [name, versions] of applied) took.get(name).push(versions.get(version) - from);
    await sleep(Math.random() * 200);
  }
  const summary = {changes, workers, p99_ms: {}};
  process.stdout.write('process         p50 ms   p99 ms   max ms\n');
  for (const [name, times] of took) {
    times.sort((a, b) => a - b);
    const [p50, p99] = [0.5, 0.99].map(share => times[Math.ceil(share * times.length) - 1]);
    summary.p99_ms[name] = p99;
    process.stdout.write(`${name.padEnd(14)} ${[p50, p99, times.at(-1)].map(ms => String(ms).padStart(8)).join(' ')}\n`);
  }
  summary.away = await away({server, trackers, change});
  isGood = Math.max(...Object.values(summary.p99_ms)) < LIMIT_MS && summary.away.answered === summary.away.asked;
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}

/** The broker hangs, with its connections open, for five seconds. */
async function away({server, trackers, change}) {
  const signal = name => process.kill(Number(readFileSync(join(process.env.ASSAY_KAFKA_HOME ?? join(process.env.TMPDIR ?? '/tmp', 'assay-kafka'), 'run', values.port, '1', 'pid'), 'utf8')), name);
  const wanted = await variantsOf(server, trackers);
  signal('SIGSTOP');
  let [asked, answered] = [0, 0];
  for (const end = Date.now() + 5_000; Date.now() < end; await sleep(250)) {
    const got = await variantsOf(server, trackers);
    asked += wanted.length;
    answered += got.filter((variant, index) => variant === wanted[index]).length;
  }
  const pending = change();
  await sleep(500);
  signal('SIGCONT');
  const backAt = Date.now();
  const {version} = (await pending).version;
  await everywhere(version);
  return {asked, answered, back_to_everywhere_ms: Math.max(...[...applied.values()].map(versions => versions.get(version))) - backAt};
}

const variantsOf = async (server, trackers) => [
  (await (await fetch(new URL(`/v1/assign?experiment=${EXPERIMENT}&unit=user-1`, server))).json()).variant,
  ...trackers.map(tracker => tracker.assign(EXPERIMENT, {unitId: 'user-1'}).variant),
];

function watchTracker(name, tracker) {
  const versions = new Map();
  applied.set(name, versions);
  const learn = () => versions.set(tracker.assign(EXPERIMENT, {unitId: 'u'}).configVersion, Date.now());
  tracker.onConfig(learn);
  closers.push(() => tracker.close(1_000));
  return tracker;
}

async function everywhere(version) {
  const end = Date.now() + 30_000;
  while (![...applied.values()].every(versions => versions.has(version))) {
    if (Date.now() > end) throw new Error(`version ${version} has not come to ${[...applied].filter(([, versions]) => !versions.has(version)).map(([name]) => name)}`);
    await sleep(2);
  }
}

/** A process of its own; its log says when a version was applied. */
async function start(name, args, sign) {
  const child = spawn(process.execPath, args, {stdio: ['ignore', 'pipe', 'pipe'], cwd: directory, env: {...process.env, ASSAY_LIVE_PARTITIONS: '3'}});
  const ended = new Promise(done => child.once('exit', done));
  closers.push(async () => {
    child.kill('SIGTERM');
    await Promise.race([ended, sleep(12_000)]);
    child.kill('SIGKILL');
  });
  let said = '';
  let rest = '';
  const versions = new Map();
  if (args[0].endsWith('assay.cjs')) applied.set(name, versions);
  const hear = chunk => {
    if (said.length < 100_000) said += chunk;
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      if (!line.includes('experiment version applied')) continue;
      const {experiment, version, time} = JSON.parse(line);
      if (experiment === EXPERIMENT) versions.set(version, Date.parse(time));
    }
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  for (const end = Date.now() + 90_000; ; await sleep(50)) {
    const found = sign.exec(said);
    if (found !== null) return found[1];
    if (child.exitCode !== null || Date.now() > end) throw new Error(`${name} did not start: ${said.slice(-2_000)}`);
  }
}

const closeAll = async () => {
  for (const close of closers.splice(0).reverse()) await close();
};
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void closeAll().finally(() => process.exit(1)));
try {
  await main();
} finally {
  await closeAll();
}
process.exit(isGood ? 0 : 1);
