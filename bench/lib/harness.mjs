import {Console} from 'node:console';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {checkEvent} from '../../dist/avro/check-event.js';
import {makeEventId} from '../../dist/avro/event-id.js';
import {decodeRecord, encodeExposure, encodeOutcome, encodeTick, glanceAt, locateCells, projectOutcome} from '../../dist/avro/released.js';
import {NO_METRICS} from '../../dist/core/telemetry.js';
import {openEmbeddedEventLog} from '../../dist/log/embedded/embedded-event-log.js';
import {openKafkaEventLog} from '../../dist/log/kafka/kafka-event-log.js';
import {SYSTEM_CLOCK, SYSTEM_RNG} from '../../dist/roles/system.js';
import {connectionsOf} from '../../dist/warehouse/chdb/chdb-connections.js';
import {openChdbEngine} from '../../dist/warehouse/chdb/chdb-engine.js';
import {makeClickHouseWarehouse} from '../../dist/warehouse/clickhouse/clickhouse-warehouse.js';
import {makeSemanticStores} from '../../dist/warehouse/clickhouse/semantic-stores.js';
import {openRecordHasher} from '../../dist/worker/record-hasher.js';
import {runWorker} from '../../dist/worker/worker.js';

const quiet = () => undefined;
const warn = (message, fields) => console.error(message, fields);
export const PORTS = {clock: SYSTEM_CLOCK, rng: SYSTEM_RNG, logger: {debug: quiet, info: quiet, warn, error: warn}, metrics: NO_METRICS};
export const CODEC = {decode: decodeRecord, check: checkEvent, glance: glanceAt, project: projectOutcome, locate: locateCells, encodeTick};
const APPEND_RECORDS = 5_000;

/** A directory that is removed at the end, whatever happens. */
export async function withDirectory(run) {
  const directory = await mkdtemp(join(tmpdir(), 'assay-bench-'));
  try {
    return await run(directory);
  } finally {
    await rm(directory, {recursive: true, force: true});
  }
}

export const openEmbeddedLog = directory => openEmbeddedEventLog({directory: join(directory, 'log'), ...PORTS});
export const openKafkaLog = broker => openKafkaEventLog({brokers: [broker], clientId: 'assay-bench', ...PORTS});

export async function openEmbeddedWarehouse(directory) {
  const engine = await openChdbEngine({directory: join(directory, 'warehouse')});
  const connections = await connectionsOf(engine, () => engine.close());
  const warehouse = makeClickHouseWarehouse({connections, clock: SYSTEM_CLOCK, holder: null, access: 'tables'}, makeSemanticStores(connections));
  await warehouse.migrate();
  return warehouse;
}

export const streamOf = (name, partitions, given = {}) => ({
  name, kind: 'simulation', topic: `assay.events.${name}.v1`, latenessMs: 300_000, sliceMs: 10_000, maxAgeMs: null, partitions, ...given,
});

const metric = key => ({
  key, aggregate: 'mean', measure: key, status: [], numerator: '', denominator: '', role: 'goal', direction: 'lower',
  minEffect: 0, tolerance: 0, scale: 9, attributionMs: 604_800_000, dimensions: [],
});

/** Views of experiments `exp-0`, `exp-1`, …, with variants a and b and three metrics. */
export function viewsOf(stream, count, {design = 'split', startTs}) {
  return Array.from({length: count}, (_, index) => ({
    stream, experiment: `exp-${index}`, version: 1,
    definition: {
      experiment: `exp-${index}`, design, variants: [{key: 'a', weight: 1}, {key: 'b', weight: 1}], control: 'a', fallback: 'a', hasWeights: true,
      metrics: ['latency_ms', 'tokens', 'error'].map(metric),
      analysis: {
        alpha: 0.05, correction: 'holm', lookEveryMs: 60_000, minN: 200, minRunMs: 0, maxN: null, maxRunMs: null, pairCoverageMin: 0.8,
        srmAlpha: 0.001, crossoverMax: 0.02, tuningN: 1_000,
      },
      guards: [], lifecycle: 'running', sampleRate: 1, allocation: 1,
    },
    phases: [{phase: 1, validFrom: startTs, validTo: null, weights: {a: 0.5, b: 0.5}}],
  }));
}

/** Small deterministic generator (xorshift): two runs measure the same events. */
export function numbers(seed = 1) {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/**
 * Outcomes in order of time, with an exposure before each unit's first one when
 * `design` is split; otherwise a hint names the arm.
 */
export function* eventsOf({count, units, experiments, startTs, lengthMs, design = 'split', seed = 1}) {
  const next = numbers(seed);
  const seen = new Set();
  const tail = new Uint8Array(10);
  const view = new DataView(tail.buffer);
  for (let index = 0; index < count; index += 1) {
    const unit = Math.floor(next() * units);
    const experiment = `exp-${unit % experiments}`;
    const variant = (unit * 2_654_435_761) >>> 16 & 1 ? 'a' : 'b';
    const eventTs = startTs + Math.floor((index / count) * lengthMs);
    const id = kind => {
      view.setUint32(0, index);
      view.setUint8(4, kind);
      return makeEventId(eventTs, tail);
    };
    const common = {unitId: `user-${unit}`, eventTs, itemId: null, sampleRate: 1, traceId: '0af7651916cd43dd8448eb211c80319c', attributes: {model: 'm-1', region: 'eu'}};
    if (design === 'split' && !seen.has(unit)) {
      seen.add(unit);
      yield {kind: 'exposure', ...common, eventId: id(1), experiment, variant, phase: 1, configVersion: 1, reason: 'assigned', sessionId: null};
      index += 1;
    }
    const measures = {latency_ms: Math.round(100 - Math.log(1 - next()) * 300), tokens: Math.floor(next() * 4_000), error: next() < 0.02 ? 1 : 0};
    yield {kind: 'outcome', ...common, eventId: id(2), variantHint: design === 'split' ? {} : {[experiment]: variant}, measures, status: 'ok'};
  }
}

/** Encodes and appends; gives the number of records. */
export async function fill(log, stream, events) {
  await log.createTopic({topic: stream.topic, partitions: stream.partitions, clock: 'producer', retentionMs: null});
  let batch = [];
  let records = 0;
  const send = async () => {
    await log.append(stream.topic, batch);
    records += batch.length;
    batch = [];
  };
  for (const event of events) {
    batch.push({key: event.unitId, timestamp: event.eventTs, value: event.kind === 'outcome' ? encodeOutcome(event) : encodeExposure(event)});
    if (batch.length === APPEND_RECORDS) await send();
  }
  if (batch.length > 0) await send();
  return records;
}

export const cpuSeconds = (since = {user: 0, system: 0}) => {
  const {user, system} = process.cpuUsage();
  return (user + system - since.user - since.system) / 1e6;
};

/** CPU and wall time of `work`, and the largest resident set seen meanwhile. */
export async function measured(work) {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  let rss = 0;
  const watch = setInterval(() => {
    rss = Math.max(rss, process.memoryUsage.rss());
  }, 50);
  const result = await work();
  clearInterval(watch);
  return {result, cpu: cpuSeconds(before), seconds: (performance.now() - startedAt) / 1000, rssMiB: Math.round(rss / 2 ** 20)};
}

/**
 * Runs a worker until it made `records` rows durable and committed them. Of a backlog it is
 * told to stop once everything is read, so that its last rows wait for no flush by age.
 */
export async function work({log, warehouse, stream, views, records, isBacklog = false}) {
  const hasher = await openRecordHasher();
  const done = new AbortController();
  let arrived = 0;
  const counted = {
    ...warehouse,
    insertFacts: async batch => {
      await warehouse.insertFacts(batch);
      arrived += batch.arrivals.length;
      if (arrived >= records) done.abort();
    },
  };
  const source = isBacklog ? endingAfter(log, records, () => done.abort()) : log;
  const end = await runWorker({stream, log: source, warehouse: counted, codec: CODEC, hasher, views: () => views, ...PORTS, owner: 'bench', signal: done.signal});
  if (end.reason !== 'stopped') throw end.error;
  if (isBacklog && arrived < records) throw new Error(`${arrived} of ${records} rows are durable: the last flush took too long`);
}

/** The log, with word of it when the consumer gave out as many records. */
function endingAfter(log, records, tell) {
  let read = 0;
  const counting = consumer => async timeoutMs => {
    const event = await consumer.next(timeoutMs);
    if (event?.type === 'batch') read += event.records.length;
    if (read >= records) tell();
    return event;
  };
  return withOwn(log, {
    openConsumer: async options => {
      const consumer = await log.openConsumer(options);
      return withOwn(consumer, {next: counting(consumer)});
    },
  });
}

/** An object with some methods in place of its own. */
const withOwn = (inner, own) =>
  new Proxy(inner, {
    get: (target, name) => own[name] ?? (typeof target[name] === 'function' ? target[name].bind(target) : target[name]),
  });

/** No facts are kept: what remains is the worker's own cost. */
export const NO_WAREHOUSE = {
  insertFacts: async ({exposures, outcomes, arrivals}) => void [exposures.length, outcomes.length, arrivals.length],
  insertProvisional: async () => undefined,
  arrivalHigh: async () => null,
  firstExposures: async () => [],
  tombstones: async () => ({units: new Map(), ids: new Set()}),
};

/** A table for people on stderr, one JSON line for programs on stdout. */
export function report(bench, rows, note = {}) {
  console.error(bench);
  new Console(process.stderr).table(rows);
  console.log(JSON.stringify({bench, ...note, node: process.version, rows}));
}

export const round = (value, digits = 2) => Number(value.toFixed(digits));
