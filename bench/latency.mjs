/**
 * Published → in a provisional slice that analysts can read, on the embedded log
 * and engine, with a worker under a share of what it can take. Load is offered at
 * a fixed rate, late sends included, so that waiting is not left out.
 * `node bench/latency.mjs [events per second at full load] [seconds]`
 */
import {encodeOutcome} from '../dist/avro/released.js';
import {eventsOf, openEmbeddedLog, openEmbeddedWarehouse, report, round, streamOf, viewsOf, withDirectory, work} from './lib/harness.mjs';

const [full = '20000', seconds = '20'] = process.argv.slice(2);
const TURN_MS = 20;

await withDirectory(async directory => {
  const rows = [];
  const warehouse = await openEmbeddedWarehouse(directory);
  const log = await openEmbeddedLog(directory);
  for (const load of [0.5, 0.9]) {
    const latencies = await run({log, warehouse, name: `load-${load * 100}`, rate: Number(full) * load});
    rows.push({load, events: latencies.length, p50_ms: round(quantile(latencies, 0.5), 0), p99_ms: round(quantile(latencies, 0.99), 0), max_ms: round(latencies.at(-1), 0)});
  }
  await log.close();
  await warehouse.close();
  report('latency', rows, {full_load_events_per_s: Number(full)});
});

async function run({log, warehouse, name, rate}) {
  const stream = streamOf(name, 6, {kind: 'live'});
  await log.createTopic({topic: stream.topic, partitions: stream.partitions, clock: 'log', retentionMs: null});
  const startTs = Date.now();
  const count = Math.floor(rate * Number(seconds));
  /** Per partition, when the event at each offset was due to be sent. */
  const due = Array.from({length: stream.partitions}, () => new Map());
  const latencies = [];
  const seeing = {
    ...warehouse,
    insertProvisional: async (streamName, slices) => {
      await warehouse.insertProvisional(streamName, slices);
      const now = Date.now();
      for (const {partition, lastOffset} of slices) {
        for (const [offset, dueAt] of due[partition]) {
          if (offset > lastOffset) break;
          latencies.push(now - dueAt);
          due[partition].delete(offset);
        }
      }
    },
  };
  const working = work({log, warehouse: seeing, stream, views: viewsOf(stream.name, 10, {startTs: 0, design: 'paired'}), records: count});
  const events = eventsOf({count, units: 50_000, experiments: 10, startTs, lengthMs: Number(seconds) * 1_000, design: 'paired'});
  let sent = 0;
  const sends = [];
  while (sent < count) {
    const wanted = Math.min(count, Math.ceil(((Date.now() - startTs) / 1000) * rate));
    const batch = [];
    for (; sent < wanted; sent += 1) {
      const event = events.next().value;
      batch.push({key: event.unitId, value: encodeOutcome(event), dueAt: startTs + (sent / rate) * 1000});
    }
    if (batch.length > 0) {
      sends.push(log.append(stream.topic, batch.map(({key, value}) => ({key, value}))).then(places => {
        for (const [index, {partition, offset}] of places.entries()) due[partition].set(offset, batch[index].dueAt);
      }));
    }
    await new Promise(resolve => setTimeout(resolve, TURN_MS));
  }
  await Promise.all(sends);
  await working;
  return latencies.sort((a, b) => a - b);
}

function quantile(sorted, p) {
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];
}
