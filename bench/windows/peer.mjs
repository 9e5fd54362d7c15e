/**
 * The windowed aggregation that stream engines are compared by, done by Assay's
 * own worker: `runWorker` over the real Kafka adapter, from the first fetch to
 * the last commit. Three things stand in for what the job does not have:
 *
 * - the codec reads the job's plain Avro record (`peer-codec.mjs`), with the
 *   experiment and variant inside, so that nothing is joined;
 * - the warehouse keeps the slices that the worker shows (`window-store.mjs`) and
 *   no facts;
 * - windows are merged from slices here, where ClickHouse does it by a view.
 *
 * Settings come from the environment, as the kit that starts it hands them over.
 */
import {randomUUID} from 'node:crypto';
import {openKafkaEventLog} from '../../dist/log/kafka/kafka-event-log.js';
import {SYSTEM_CLOCK, SYSTEM_RNG} from '../../dist/roles/system.js';
import {openRecordHasher} from '../../dist/worker/record-hasher.js';
import {runWorker} from '../../dist/worker/worker.js';
import {LIMITS} from '../../dist/core/limits.js';
import {NO_METRICS} from '../../dist/core/telemetry.js';
import {openPeerCodec} from './peer-codec.mjs';
import {WindowStore} from './window-store.mjs';

const {BOOT, TOPIC, RESULTS, SCHEMA, RUN_ID = randomUUID()} = process.env;
const events = Number(process.env.N);
const sizeMs = Number(process.env.SIZE_MS ?? 300_000);
const slideMs = Number(process.env.SLIDE_MS ?? 10_000);
/**
 * A worker that catches up does not show slices that passed their lateness before
 * it flushed them: closing does, from facts. There are none here, so the lateness
 * covers what one flush spans of the job's hour, and the 10 s that events arrive late.
 */
const SPAN_MS = 3_600_000;
const flushSpanMs = (SPAN_MS * LIMITS.insertBufferRowsMax) / events;
const latenessMs = Math.ceil((20_000 + 4 * flushSpanMs) / 1_000) * 1_000;
// A short run has the same hour and so more slices open per event; its speed means nothing.
if (events < 1_000_000) LIMITS.provisionalKeysMax = 1_000_000;
const RESULTS_PER_APPEND = 2_000;

const warn = (message, fields) => console.error(message, fields);
const quiet = () => undefined;
const logger = {debug: quiet, info: quiet, warn, error: warn};
const ports = {clock: SYSTEM_CLOCK, rng: SYSTEM_RNG, logger, metrics: NO_METRICS};

const codec = openPeerCodec(SCHEMA);
const log = await openKafkaEventLog({brokers: [BOOT], clientId: 'assay', ...ports});
const hasher = await openRecordHasher();
const done = new AbortController();
const store = new WindowStore({events, onEnd: () => done.abort(), keepsDuplicates: process.env.DEDUP === '0'});
const {partitions} = await log.describeTopic(TOPIC);
const stream = {
  name: `peer-${RUN_ID}`, kind: 'simulation', topic: TOPIC, latenessMs, sliceMs: slideMs, maxAgeMs: null, partitions,
};

const startedAt = performance.now();
const end = await runWorker({
  stream, log, warehouse: store, codec, hasher, views: () => codec.views(), ...ports, owner: 'peer', signal: done.signal,
});
if (end.reason !== 'stopped') throw end.error;
const readSeconds = seconds();

const rows = store.windows({sizeMs, slideMs});
for (let from = 0; from < rows.length; from += RESULTS_PER_APPEND) {
  await log.append(RESULTS, rows.slice(from, from + RESULTS_PER_APPEND));
}
const note = `${rows.length} windows, ${store.flushes} flushes, reading ${readSeconds} s`;
console.log(`PEER ${JSON.stringify({seconds: seconds(), events: store.arrived, note})}`);
await log.close();

function seconds() {
  return Number(((performance.now() - startedAt) / 1000).toFixed(3));
}
