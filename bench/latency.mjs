/**
 * Published → in a provisional slice that analysts can read, and → in a stored
 * verdict, on the embedded log and engine, under a share of the full load. Full load
 * is what the same process, its producer and its looks included, carries for as long
 * as it is offered: measured first by a producer that never lets the worker run dry.
 * Then events are offered at a fixed rate, late sends counted as lateness; verdicts
 * are looked at one after the other with a pause between them. The first seconds of
 * a run, in which a new stream's units are all new, are given beside the rest.
 * `node bench/latency.mjs [events per second at full load; 0: measure it] [seconds] [ms between looks] [shares]`
 */
import {analyzeExperiment} from '../dist/analyze/analyze-experiment.js';
import {encodeExposure, encodeOutcome} from '../dist/avro/released.js';
import {committedOffsets} from '../dist/closing/committed-offsets.js';
import {AssayError} from '../dist/core/errors.js';
import {SYSTEM_CLOCK} from '../dist/roles/system.js';
import {eventsOf, openEmbeddedLog, openEmbeddedWarehouse, report, round, streamOf, viewsOf, withDirectory, work} from './lib/harness.mjs';

const [given = '0', seconds = '20', pause = '1000', shares = '0.5,0.9'] = process.argv.slice(2);
const TURN_MS = 20;
const EXPERIMENTS = 10;
const UNITS = 20_000;
/** Of each run, not counted with the rest. */
const SETTLE_MS = 5_000;
/** Between two looks at an experiment. A live experiment has a minute by default. */
const LOOK_PAUSE_MS = Number(pause);
/** Events on their way while full load is measured: several flushes, and far from a backlog of minutes. */
const OUTSTANDING_MAX = 200_000;
/** Measured without the first of them. */
const FULL_LOAD_EVENTS = 1_200_000;
const RETRY_MS = 50;
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

await withDirectory(async directory => {
  const rows = [];
  const warehouse = await openEmbeddedWarehouse(directory);
  const log = await openEmbeddedLog(directory);
  // The engine loads code on its first queries; nobody's p99 is that.
  await run({log, warehouse, name: 'warm-up', rate: 1_000, lengthMs: 3_000});
  const full = Number(given) > 0 ? Number(given) : (await run({log, warehouse, name: 'full', rate: null, lengthMs: Number(seconds) * 1_000})).perSecond;
  for (const load of shares.split(',').map(Number)) {
    const lengthMs = Number(seconds) * 1_000 + SETTLE_MS;
    const seen = await run({log, warehouse, name: `load-${load * 100}`, rate: full * load, lengthMs});
    rows.push({load, events_per_s: Math.round(full * load), ...columns('first', seen.first), ...columns('window', seen.windows), ...columns('verdict', seen.verdicts), looks: seen.looks});
  }
  await log.close();
  await warehouse.close();
  report('latency', rows, {full_load_events_per_s: Math.round(full), is_full_load_measured: Number(given) === 0, look_pause_ms: LOOK_PAUSE_MS, settle_ms: SETTLE_MS});
});

function columns(what, latencies) {
  const sorted = latencies.sort((a, b) => a - b);
  const at = p => round(sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN, 0);
  return {[`${what}_events`]: sorted.length, [`${what}_p50_ms`]: at(0.5), [`${what}_p99_ms`]: at(0.99), [`${what}_max_ms`]: at(1)};
}

/** @param rate events per second, or null: as many as are carried */
async function run({log, warehouse, name, rate, lengthMs}) {
  const stream = streamOf(name, 6, {kind: 'live'});
  await log.createTopic({topic: stream.topic, partitions: stream.partitions, clock: 'log', retentionMs: null});
  const startTs = Date.now();
  const count = rate === null ? FULL_LOAD_EVENTS : Math.floor((rate * lengthMs) / 1_000);
  /** Per partition, when the event at each offset was due to be sent, in order of offsets. */
  const due = Array.from({length: stream.partitions}, () => ({dueAt: [], first: null, shown: 0}));
  const windows = [];
  const first = [];
  const shown = {events: 0, settledEvents: 0, settledAt: 0, at: startTs};
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
          if (dueAt === undefined) continue;
          (dueAt - startTs < SETTLE_MS ? first : windows).push(now - dueAt);
          shown.events += 1;
        }
      }
      shown.at = now;
      if (shown.settledAt === 0 && now - startTs >= SETTLE_MS) [shown.settledAt, shown.settledEvents] = [now, shown.events];
    },
  };
  const views = viewsOf(stream.name, EXPERIMENTS, {startTs: 0});
  const stop = new AbortController();
  const working = work({log, warehouse: seeing, stream, views, records: count});
  /** When events were due and when the log had them, in order. */
  const published = [];
  const looking = look({log, warehouse, stream, view: views[0], published, signal: stop.signal});
  const events = eventsOf({count, units: UNITS, experiments: EXPERIMENTS, startTs, lengthMs});
  const sends = [];
  let sent = 0;
  while (sent < count) {
    const wanted = rate === null ? Math.min(count, shown.events + OUTSTANDING_MAX, sent + 5_000) : Math.min(count, Math.ceil(((Date.now() - startTs) / 1000) * rate));
    const batch = [];
    for (; sent < wanted; sent += 1) {
      const {value: event, done} = events.next();
      if (done) break;
      batch.push({key: event.unitId, value: event.kind === 'outcome' ? encodeOutcome(event) : encodeExposure(event), dueAt: rate === null ? Date.now() : startTs + (sent / rate) * 1000});
    }
    if (batch.length > 0) sends.push(send(log, stream, {batch, due, published}));
    await sleep(rate === null && batch.length > 0 ? 0 : TURN_MS);
  }
  await Promise.all(sends);
  await working;
  stop.abort();
  const perSecond = ((shown.events - shown.settledEvents) * 1_000) / (shown.at - shown.settledAt);
  return {windows, first, perSecond, ...(await looking)};
}

/** A log that is full says so; the producer's wait for it is part of the latency. */
async function send(log, stream, {batch, due, published}) {
  const records = batch.map(({key, value}) => ({key, value}));
  let places;
  while (places === undefined) {
    places = await log.append(stream.topic, records).catch(error => {
      if (!(error instanceof AssayError) || error.kind !== 'retry') throw error;
    });
    if (places === undefined) await sleep(RETRY_MS);
  }
  const takenAt = Date.now();
  for (const [index, {partition, offset}] of places.entries()) {
    const waiting = due[partition];
    waiting.first ??= offset;
    // Ticks take offsets too: they stay empty. A refused batch may come after a later one.
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
