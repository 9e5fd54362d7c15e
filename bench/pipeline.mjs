/**
 * The whole worker path, facts durable in the engine and offsets committed,
 * beside its yardstick in the same process: reading the same records and decoding
 * them with avsc, nothing else. `node bench/pipeline.mjs [events] [kafka host:port]`
 */
import {readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import avro from 'avsc';
import {RELEASED_SCHEMAS} from '../dist/avro/released.js';
import {eventsOf, fill, measured, NO_WAREHOUSE, openEmbeddedLog, openEmbeddedWarehouse, openKafkaLog, report, round, streamOf, viewsOf, withDirectory, work} from './lib/harness.mjs';

const [events = '300000', broker] = process.argv.slice(2);
const startTs = Date.now() - 3_600_000;
const types = Object.fromEntries(['exposure', 'outcome'].map(kind => [kind, avro.Type.forSchema(JSON.parse(readFileSync(new URL(`../schemas/${kind}.v1.avsc`, import.meta.url), 'utf8')))]));
const HEADER_BYTES = 10;
const OUTCOME = Number(BigInt.asUintN(8, RELEASED_SCHEMAS.find(({name}) => name === 'outcome.v1').fingerprint));

await withDirectory(async directory => {
  const rows = [];
  const logs = [['embedded', () => openEmbeddedLog(directory)], ...(broker === undefined ? [] : [['kafka', () => openKafkaLog(broker)]])];
  const warehouse = await openEmbeddedWarehouse(directory);
  for (const [kind, open] of logs) {
    const log = await open();
    const stream = streamOf(`pipeline-${kind}-${process.pid}`, 6);
    const records = await fill(log, stream, eventsOf({count: Number(events), units: 50_000, experiments: 10, startTs, lengthMs: 600_000}));
    const views = viewsOf(stream.name, 10, {startTs});
    const reading = await measured(() => readAll(log, stream, records));
    const own = await measured(() => work({log, warehouse: NO_WAREHOUSE, stream: {...stream, name: `${stream.name}-own`}, views, records, isBacklog: true}));
    const whole = await measured(() => work({log, warehouse, stream, views, records, isBacklog: true}));
    rows.push(line(`${kind}: reading + avsc`, reading, records, reading), line(`${kind}: worker alone`, own, records, reading), line(`${kind}: whole pipeline`, whole, records, reading));
    await log.close();
  }
  await warehouse.close();
  const written = logs.length * Number(events);
  report('pipeline', rows, {
    events: Number(events),
    log_bytes_per_event: Math.round(bytesUnder(join(directory, 'log')) / Number(events)),
    warehouse_bytes_per_event: Math.round(bytesUnder(join(directory, 'warehouse', 'store')) / written),
  });
});

/** Parts of many inserts, not yet merged: more than what stays. */
function bytesUnder(directory) {
  return readdirSync(directory, {recursive: true, withFileTypes: true})
    .filter(entry => entry.isFile())
    .reduce((sum, {parentPath, name}) => sum + statSync(join(parentPath, name)).size, 0);
}

function line(what, {cpu, seconds, rssMiB}, records, yardstick) {
  return {what, events_per_s: Math.round(records / seconds), of_yardstick: round(yardstick.seconds / seconds), us_cpu_per_event: round((cpu / records) * 1e6), rss_mib: rssMiB};
}

async function readAll(log, {topic}, records) {
  const consumer = await log.openConsumer({topic, group: `yardstick-${process.pid}`, batchRecordsMax: 5_000, bufferBytesMax: 8 << 20});
  let sum = 0;
  for (let seen = 0; seen < records; ) {
    const event = await consumer.next(1_000);
    if (event?.type !== 'batch') continue;
    for (const {value} of event.records) {
      // The schemas differ in the low byte of their fingerprint.
      const type = value[2] === OUTCOME ? types.outcome : types.exposure;
      sum += type.decode(Buffer.from(value.buffer, value.byteOffset, value.byteLength), HEADER_BYTES).value.event_ts;
    }
    seen += event.records.length;
  }
  await consumer.close();
  return sum;
}
