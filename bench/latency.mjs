/**
 * Published → in a provisional slice that analysts can read, and → in a stored
 * verdict, on the embedded log and engine, with a worker under a share of what it
 * can take. Load is offered at a fixed rate, late sends included, so that waiting is
 * not left out; verdicts are looked at one after the other with a pause between them.
 * `node bench/latency.mjs [events per second at full load] [seconds]`
 */
import {analyzeExperiment} from '../dist/analyze/analyze-experiment.js';
import {encodeExposure, encodeOutcome} from '../dist/avro/released.js';
import {committedOffsets} from '../dist/closing/committed-offsets.js';
import {SYSTEM_CLOCK} from '../dist/roles/system.js';
import {eventsOf, openEmbeddedLog, openEmbeddedWarehouse, report, round, streamOf, viewsOf, withDirectory, work} from './lib/harness.mjs';

const [full = '20000', seconds = '20'] = process.argv.slice(2);
const TURN_MS = 20;
const EXPERIMENTS = 10;
const UNITS = 20_000;
/** Between two looks at an experiment. A live experiment has a minute by default. */
const LOOK_PAUSE_MS = 1_000;
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

await withDirectory(async directory => {
  const rows = [];
  const warehouse = await openEmbeddedWarehouse(directory);
  const log = await openEmbeddedLog(directory);
  // The engine loads code on its first queries; nobody's p99 is that.
  await run({log, warehouse, name: 'warm-up', rate: 1_000, lengthS: 3});
  for (const load of [0.5, 0.9]) {
    const seen = await run({log, warehouse, name: `load-${load * 100}`, rate: Number(full) * load, lengthS: Number(seconds)});
    rows.push({load, events_per_s: Math.round(Number(full) * load), ...columns('window', seen.windows), ...columns('verdict', seen.verdicts), looks: seen.looks});
  }
  await log.close();
  await warehouse.close();
  report('latency', rows, {full_load_events_per_s: Number(full), look_pause_ms: LOOK_PAUSE_MS});
});

function columns(what, latencies) {
  const sorted = latencies.sort((a, b) => a - b);
  const at = p => round(sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN, 0);
  return {[`${what}_events`]: sorted.length, [`${what}_p50_ms`]: at(0.5), [`${what}_p99_ms`]: at(0.99), [`${what}_max_ms`]: at(1)};
}

async function run({log, warehouse, name, rate, lengthS}) {
  const stream = streamOf(name, 6, {kind: 'live'});
  await log.createTopic({topic: stream.topic, partitions: stream.partitions, clock: 'log', retentionMs: null});
  const startTs = Date.now();
  const count = Math.floor(rate * lengthS);
  /** Per partition, when the event at each offset was due to be sent, in order of offsets. */
  const due = Array.from({length: stream.partitions}, () => ({dueAt: [], first: null, shown: 0}));
  const windows = [];
  const seeing = {
    ...warehouse,
    insertProvisional: async (streamName, slices) => {
      const reached = new Map();
      for (const {partition, lastOffset} of slices) reached.set(partition, lastOffset);
      await warehouse.insertProvisional(streamName, slices);
      const now = Date.now();
      for (const [partition, lastOffset] of reached) {
        const waiting = due[partition];
        if (waiting.first === null) continue;
        for (const end = Number(lastOffset - waiting.first); waiting.shown <= end && waiting.shown < waiting.dueAt.length; waiting.shown += 1) {
          const dueAt = waiting.dueAt[waiting.shown];
          if (dueAt !== undefined) windows.push(now - dueAt);
        }
      }
    },
  };
  const views = viewsOf(stream.name, EXPERIMENTS, {startTs: 0});
  const working = work({log, warehouse: seeing, stream, views, records: count});
  const stop = new AbortController();
  /** When events were due and when the log had them, in order. */
  const published = [];
  const looking = look({log, warehouse, stream, view: views[0], published, signal: stop.signal});
  const events = eventsOf({count, units: UNITS, experiments: EXPERIMENTS, startTs, lengthMs: lengthS * 1_000});
  const sends = [];
  let sent = 0;
  while (sent < count) {
    const wanted = Math.min(count, Math.ceil(((Date.now() - startTs) / 1000) * rate));
    const batch = [];
    for (; sent < wanted; sent += 1) {
      const {value: event, done} = events.next();
      if (done) break;
      batch.push({key: event.unitId, value: event.kind === 'outcome' ? encodeOutcome(event) : encodeExposure(event), dueAt: startTs + (sent / rate) * 1000});
    }
    if (batch.length > 0) sends.push(send(log, stream, {batch, due, published}));
    await sleep(TURN_MS);
  }
  await Promise.all(sends);
  await working;
  stop.abort();
  return {windows, ...(await looking)};
}

async function send(log, stream, {batch, due, published}) {
  const places = await log.append(stream.topic, batch.map(({key, value}) => ({key, value})));
  const takenAt = Date.now();
  for (const [index, {partition, offset}] of places.entries()) {
    const waiting = due[partition];
    waiting.first ??= offset;
    // Ticks take offsets too: they stay empty.
    waiting.dueAt[Number(offset - waiting.first)] = batch[index].dueAt;
    published.push({dueAt: batch[index].dueAt, takenAt});
  }
}

/** Looks as the analysis does: newest cut, verdict rows, stored. An event is in a verdict once its cut lies at or behind the event's arrival. */
async function look({log, warehouse, stream, view, published, signal}) {
  const verdicts = [];
  let [next, looks] = [0, 0];
  while (!signal.aborted) {
    await sleep(LOOK_PAUSE_MS);
    const progress = await warehouse.progress(stream.name, await committedOffsets(log, stream));
    if (progress.length === 0 || progress.some(arrival => arrival === null)) continue;
    const cut = Math.min(...progress.map(Number)) - 1;
    const rows = await analyzeExperiment({warehouse, clock: SYSTEM_CLOCK, versions: {assay: 'bench', node: process.version, engine: ''}, stream: stream.name, view, cut, live: true});
    await warehouse.insertVerdicts(rows);
    looks += 1;
    const now = Date.now();
    for (; next < published.length && published[next].takenAt <= cut; next += 1) verdicts.push(now - published[next].dueAt);
  }
  return {verdicts, looks};
}
