/**
 * A guard end to end on real Kafka: a simulated service at 2 000 requests a second on
 * 60/30/10 through the SDK; v2 starts to fail at 40 %; how long from the breach (more
 * than 30 % of v2's requests in the window failed) until every SDK serves v1 in its
 * place, and whether v2 comes back through half-open once it is well again.
 *
 *   node scripts/guard-run.mjs [--runs 20] [--rate 2000] [--window-s 10] [--recover-every 1] [--json]
 *                              [--brokers host:port] [--port 29392]
 *
 * Needs a build. Without --brokers it starts a broker of its own (scripts/kafka/broker.sh).
 * One row per run on stdout (--json: one JSON object, with the guard's evidence), then the
 * summary as JSON in the last line. Of a run's time, `look` is from the breach until a guard
 * looked and saw it, `log` until its version was in the log, `sdk` until the last of the three
 * SDKs served v1. --recover-every 5 waits for half-open and the way back in every fifth run
 * only. Exit 1 when a run failed or took longer than 5 s, or a guard acted without a breach.
 */
import {execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {loadavg, tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {parseArgs} from 'node:util';
import {SILENT_LOGGER, NO_METRICS} from '../dist/core/telemetry.js';
import {parseDefinitionText, requireDefinition} from '../dist/experiment/definition.js';
import {ExperimentRegistry} from '../dist/experiment/registry.js';
import {historyOf} from '../dist/experiment/state.js';
import {evidenceOf} from '../dist/guard/guard-evidence.js';
import {openKafkaEventLog} from '../dist/log/kafka/kafka-event-log.js';
import {openTracker} from '../dist/roles/sdk.js';
import {SYSTEM_CLOCK, SYSTEM_RNG} from '../dist/roles/system.js';

const {values} = parseArgs({
  options: {
    runs: {type: 'string', default: '20'}, rate: {type: 'string', default: '2000'}, 'window-s': {type: 'string', default: '10'},
    'recover-every': {type: 'string', default: '1'}, json: {type: 'boolean', default: false},
    brokers: {type: 'string'}, port: {type: 'string', default: '29392'},
  },
});
const [runs, rate, windowMs, recoverEvery] = [Number(values.runs), Number(values.rate), Number(values['window-s']) * 1_000, Number(values['recover-every'])];
const ROOT = resolve(import.meta.dirname, '..');
const BROKER = join(ROOT, 'scripts/kafka/broker.sh');
const LIMIT_MS = 5_000;
const UNITS = 20_000;
const MIN_N = 200;
const RECOVERY_S = 3;

const yaml = name => `
experiment: ${name}
variants: {v1: 60, v2: 30, v3: 10}
control: v1
lifecycle: running
metrics:
  - {key: error_rate, aggregate: share, status: [server_error, timeout], role: guardrail, direction: lower}
guards: [{metric: error_rate, window: ${windowMs}ms, above: 0.30, min_n: ${MIN_N}, action: roll_back, recovery: ${RECOVERY_S}s}]
`;

const say = text => process.stderr.write(`guard-run: ${text}\n`);
const print = text => process.stdout.write(`${text}\n`);
const directory = mkdtempSync(join(tmpdir(), 'assay-guard-run-'));
const closers = [() => rmSync(directory, {recursive: true, force: true})];
let isGood = true;

async function main() {
  const brokers = values.brokers ?? startBroker();
  const serverUrl = await startPlatform(brokers);
  const registry = await openRegistry(brokers);
  const trackers = [
    openTracker({kafka: {brokers: brokers.split(',')}}),
    openTracker({kafka: {brokers: brokers.split(',')}}),
    openTracker({http: {url: serverUrl}}),
  ];
  closers.push(() => Promise.all(trackers.map(tracker => tracker.close(1_000))));
  for (const tracker of trackers) if (!(await tracker.ready(30_000))) throw new Error('an SDK got no configuration');
  const results = [];
  if (!values.json) print(' run  breach→all ms   look    log    sdk  kafka  kafka   http   n of the window  value   req/s  load  false alarms  actions');
  for (let run = 1; run <= runs; run += 1) {
    try {
      const result = await oneRun(run, {registry, trackers, isRecovering: run % recoverEvery === 0 || run === 1});
      results.push(result);
      print(values.json ? JSON.stringify(result) : rowOf(result));
    } catch (error) {
      isGood = false;
      say(`run ${run} failed: ${error.message}\n${await stateOf(serverUrl)}`);
    }
  }
  const times = results.map(result => result.breach_to_all_ms).sort((a, b) => a - b);
  const at = share => times[Math.ceil(share * times.length) - 1];
  const falseAlarms = results.reduce((sum, result) => sum + result.false_alarms, 0);
  const dropped = trackers.reduce((sum, tracker) => sum + tracker.counts().dropped, 0);
  isGood &&= times.length > 0 && times.at(-1) <= LIMIT_MS && falseAlarms === 0;
  print(JSON.stringify({
    runs: results.length, failed: runs - results.length, rate, window_ms: windowMs, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: times.at(-1),
    recovered: results.filter(({actions}) => actions.includes('close')).length, false_alarms: falseAlarms, events_dropped: dropped,
  }));
}

function rowOf(result) {
  const {run, breach_to_all_ms: all, stages_ms: stages, breach_to_each_ms: each, evidence, requests_per_second: perSecond, load, false_alarms: falseAlarms, actions} = result;
  const right = (value, width) => String(value).padStart(width);
  return [
    right(run, 4), right(all, 14), right(stages.look, 7), right(stages.log, 7), right(stages.sdk, 7), ...each.map(ms => right(ms, 7)).map(text => text.slice(1)),
    right(evidence.n, 16), right(evidence.value.toFixed(3), 7), right(perSecond, 7), right(load, 5), right(falseAlarms, 13), ` ${actions.join(' → ')}`,
  ].join(' ');
}

async function oneRun(run, {registry, trackers, isRecovering}) {
  const experiment = `answers-${run}`;
  await registry.publish({stream: 'live', definition: requireDefinition(parseDefinitionText(yaml(experiment))), author: 'guard-run', reason: `run ${run}`});
  const traffic = new Traffic(experiment, trackers);
  traffic.start();
  try {
    await until('every SDK serves v2', () => traffic.serves('v2').every(Boolean), 20_000);
    await sleep(windowMs);
    const falseAlarms = actionsOf(registry, experiment).length;
    traffic.failureRate = 0.4;
    const failingAt = Date.now();
    const breachAt = await until('the window shows a breach', () => traffic.breachAt, 2 * windowMs + 10_000, 2);
    const served = trackers.map(() => undefined);
    await until('every SDK serves v1', () => {
      traffic.serves('v2').forEach((isServed, index) => {
        if (!isServed) served[index] ??= Date.now();
      });
      return served.every(at => at !== undefined);
    }, 60_000, 5);
    traffic.failureRate = 0;
    if (isRecovering) {
      await until('the breaker closes again', () => actionsOf(registry, experiment).includes('close'), 4 * windowMs + 90_000);
      await until('every SDK serves v2 again', () => traffic.serves('v2').every(Boolean), 20_000);
    }
    const history = historyOf(registry.snapshot(), 'live', experiment);
    const opened = history.find(version => evidenceOf(version)?.action === 'open');
    const evidence = evidenceOf(opened);
    const lookedAt = Date.parse(evidence.at);
    return {
      run,
      failure_to_breach_ms: breachAt - failingAt,
      breach_to_each_ms: served.map(at => at - breachAt),
      breach_to_all_ms: Math.max(...served) - breachAt,
      stages_ms: {look: lookedAt - breachAt, log: opened.validFrom - lookedAt, sdk: Math.max(...served) - opened.validFrom},
      false_alarms: falseAlarms,
      requests_per_second: Math.round(traffic.requestsPerSecond),
      load: Number(loadavg()[0].toFixed(1)),
      actions: actionsOf(registry, experiment),
      evidence,
    };
  } finally {
    traffic.stop();
    const current = historyOf(registry.snapshot(), 'live', experiment).at(-1);
    await registry.publish({stream: 'live', definition: {...current.definition, lifecycle: 'concluded'}, author: 'guard-run', reason: 'over'}).catch(() => undefined);
  }
}

/** Where the pipeline stands, when a run failed. */
async function stateOf(serverUrl) {
  const text = await fetch(new URL('/metrics', serverUrl)).then(answer => answer.text(), error => String(error));
  const telling = /^assay_(jobs_(leading|failures|success)|worker_(ready|oldest|rebuilds|paused)|log_lag|sink_(retries|flush_seconds_(sum|count))|guard|decode_dead|window_provisional)/;
  return text.split('\n').filter(line => telling.test(line)).join('\n');
}

const actionsOf = (registry, experiment) => historyOf(registry.snapshot(), 'live', experiment).flatMap(version => evidenceOf(version)?.action ?? []);

/** Requests spread evenly over time and over the SDKs. */
class Traffic {
  failureRate = 0;
  /** Of this run alone: an outcome counts in every experiment that its unit has met. */
  #units;
  breachAt = undefined;
  #timer;
  #experiment;
  #trackers;
  #requests = 0;
  #startedAt = performance.now();
  /** v2's requests and failures by tenths of a second. */
  #tenths = [];

  constructor(experiment, trackers) {
    this.#experiment = experiment;
    this.#units = Array.from({length: UNITS}, (_, index) => `${experiment}-user-${index}`);
    this.#trackers = trackers;
  }

  start() {
    this.#startedAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), 5);
  }

  stop() {
    clearInterval(this.#timer);
  }

  get requestsPerSecond() {
    return (this.#requests * 1_000) / (performance.now() - this.#startedAt);
  }

  /** Per SDK: whether any of the first thousand units gets the variant. */
  serves(variant) {
    return this.#trackers.map(tracker => this.#units.slice(0, 1_000).some(unitId => tracker.assign(this.#experiment, {unitId}).variant === variant));
  }

  #tick() {
    const due = ((performance.now() - this.#startedAt) * rate) / 1_000;
    for (; this.#requests < due; this.#requests += 1) this.#request(this.#trackers[this.#requests % this.#trackers.length]);
    if (this.failureRate > 0 && this.breachAt === undefined && this.#isBreached()) this.breachAt = Date.now();
  }

  #request(tracker) {
    const unitId = this.#units[Math.floor(Math.random() * UNITS)];
    const {variant} = tracker.expose(this.#experiment, {unitId});
    const isFailing = Math.random() < (variant === 'v2' ? this.failureRate : 0);
    tracker.outcome({unitId, status: isFailing ? 'server_error' : 'ok', measures: {latency_ms: 80 + 40 * Math.random()}});
    if (variant !== 'v2') return;
    const at = Math.floor(performance.now() / 100);
    if (this.#tenths.at(-1)?.at !== at) this.#tenths.push({at, n: 0, failed: 0});
    const tenth = this.#tenths.at(-1);
    tenth.n += 1;
    tenth.failed += isFailing ? 1 : 0;
  }

  #isBreached() {
    const since = (performance.now() - windowMs) / 100;
    const inside = this.#tenths.filter(({at}) => at >= since);
    const n = inside.reduce((sum, tenth) => sum + tenth.n, 0);
    return n >= MIN_N && inside.reduce((sum, tenth) => sum + tenth.failed, 0) / n > 0.3;
  }
}

async function until(what, check, timeoutMs, everyMs = 20) {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = check();
    if (value) return value;
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(everyMs);
  }
}

function startBroker() {
  say('starting a broker');
  execFileSync(BROKER, ['start', '1', values.port], {stdio: ['ignore', 2, 2]});
  closers.push(() => execFileSync(BROKER, ['stop', values.port], {stdio: ['ignore', 2, 2]}));
  return `127.0.0.1:${values.port}`;
}

async function startPlatform(brokers) {
  const env = {...process.env, ASSAY_LIVE_SLICE_MS: '1000', ASSAY_LIVE_LATENESS_MS: '5000', ASSAY_LIVE_PARTITIONS: '3'};
  const child = spawn(process.execPath, [join(ROOT, 'bin/assay.cjs'), 'up', '--log', 'kafka', '--brokers', brokers, '--data', directory, '--port', '0'], {env, stdio: ['ignore', 'ignore', 'pipe']});
  const ended = new Promise(done => child.once('exit', done));
  closers.push(async () => {
    child.kill('SIGTERM');
    await Promise.race([ended, sleep(15_000)]);
    child.kill('SIGKILL');
  });
  let said = '';
  child.stderr.on('data', chunk => {
    said += chunk;
    process.stderr.write(chunk);
  });
  return until('assay up serves', () => {
    if (child.exitCode !== null) throw new Error(`assay up ended with ${child.exitCode}`);
    return /serving on (http:\S+)/.exec(said)?.[1];
  }, 90_000);
}

async function openRegistry(brokers) {
  const log = await openKafkaEventLog({brokers: brokers.split(','), clientId: 'guard-run', clock: SYSTEM_CLOCK, rng: SYSTEM_RNG, logger: SILENT_LOGGER, metrics: NO_METRICS});
  const registry = await ExperimentRegistry.open({log, clock: SYSTEM_CLOCK, logger: SILENT_LOGGER});
  closers.push(async () => {
    await registry.close();
    await log.close();
  });
  return registry;
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
