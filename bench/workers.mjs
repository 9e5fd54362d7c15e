/**
 * One worker against two on one topic: processes of one group, each with its share
 * of the partitions, on the job of `windows/peer.mjs` (log to provisional slices).
 * `node bench/workers.mjs HOST:PORT TOPIC EVENTS SCHEMA [rounds]`
 *
 * events_per_s is by committed offsets, from the first commit seen to the last, so that
 * starting and joining the group are left out; CPU is of the whole processes, what is
 * read twice when the second worker joins included.
 */
import {fork} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {openPeerCodec} from './windows/peer-codec.mjs';
import {WindowStore} from './windows/window-store.mjs';
import {openKafkaLog, PORTS, report, round} from './lib/harness.mjs';
import {workerGroup} from '../dist/core/streams.js';
import {openRecordHasher} from '../dist/worker/record-hasher.js';
import {runWorker} from '../dist/worker/worker.js';

const POLL_MS = 50;
const [broker, topic, events, schema, rounds = '1', run] = process.argv.slice(2);

if (run === undefined) {
  const rows = [];
  for (const workers of [1, 2]) {
    const runs = [];
    for (let turn = 0; turn < Number(rounds); turn += 1) runs.push(await race(workers));
    runs.sort((a, b) => a.cpu - b.cpu);
    const {cpu, rate, shares, rss} = runs[Math.floor(runs.length / 2)];
    const first = rows[0] ?? {us_cpu_per_event: cpu, events_per_s: rate};
    rows.push({
      workers, us_cpu_per_event: round(cpu), against_first: round(cpu / first.us_cpu_per_event),
      events_per_s: Math.round(rate), rate_against_first: round(rate / first.events_per_s), shares: shares.join(' '), rss_mib: rss,
    });
  }
  report('workers', rows, {events: Number(events), rounds: Number(rounds)});
} else {
  await work();
}

/** So many workers until together they have seen every event. */
async function race(workers) {
  const group = `${process.pid}-${Date.now()}`;
  const ends = [];
  const children = Array.from({length: workers}, () => {
    const child = fork(fileURLToPath(import.meta.url), [broker, topic, events, schema, rounds, group]);
    child.on('message', end => ends.push(end));
    return child;
  });
  const exits = children.map(child => new Promise(resolve => child.on('exit', resolve)));
  const log = await openKafkaLog(broker);
  let first;
  let committed = 0;
  while (committed < Number(events)) {
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
    committed = sum((await log.committed(topic, workerGroup(`bench-${group}`))).map(offset => Number(offset ?? 0n)));
    if (committed > 0) first ??= {at: performance.now(), committed};
  }
  const rate = (committed - first.committed) / ((performance.now() - first.at) / 1_000);
  for (const child of children) child.send('stop');
  await Promise.all(exits);
  await log.close();
  const shares = ends.map(({arrived}) => round(arrived / Number(events)));
  return {cpu: (sum(ends.map(end => end.cpu)) / Number(events)) * 1e6, rate, shares, rss: Math.max(...ends.map(end => end.rss))};
}

async function work() {
  const codec = openPeerCodec(schema);
  const log = await openKafkaLog(broker);
  const done = new AbortController();
  process.on('message', () => done.abort());
  const {partitions} = await log.describeTopic(topic);
  const store = new WindowStore({events: Number.POSITIVE_INFINITY, onEnd: () => undefined, keepsDuplicates: false});
  const stream = {name: `bench-${run}`, kind: 'simulation', topic, latenessMs: 260_000, sliceMs: 10_000, maxAgeMs: null, partitions};
  const warehouse = {
    insertFacts: batch => store.insertFacts(batch),
    insertProvisional: (name, slices) => store.insertProvisional(name, slices),
    tombstones: () => store.tombstones(),
    arrivalHigh: () => store.arrivalHigh(),
    // What a worker before had read comes again: slices are rebuilt from facts, of which there are none.
    async *openOutcomes() {},
  };
  const hasher = await openRecordHasher();
  const end = await runWorker({stream, log, warehouse, codec, hasher, views: () => codec.views(), ...PORTS, owner: run, signal: done.signal});
  if (end.reason !== 'stopped') throw end.error;
  await log.close();
  const {user, system} = process.cpuUsage();
  process.send({arrived: store.arrived, cpu: (user + system) / 1e6, rss: Math.round(process.resourceUsage().maxRSS / 1024)}, () => process.exit(0));
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
