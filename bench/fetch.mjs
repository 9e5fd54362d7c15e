/**
 * Reading a Kafka topic through the adapter, nothing decoded: CPU per record,
 * start-up and joining the group included. `node bench/fetch.mjs HOST:PORT TOPIC RECORDS`
 */
import {measured, openKafkaLog, report, round} from './lib/harness.mjs';

const [broker, topic, records] = process.argv.slice(2);
const log = await openKafkaLog(broker);
let bytes = 0;
const {cpu, seconds, rssMiB} = await measured(async () => {
  const consumer = await log.openConsumer({topic, group: `fetch-${process.pid}-${Date.now()}`, batchRecordsMax: 5_000, bufferBytesMax: 8 << 20});
  for (let seen = 0; seen < Number(records); ) {
    const event = await consumer.next(1_000);
    if (event?.type !== 'batch') continue;
    seen += event.records.length;
    for (const {value} of event.records) bytes += value.byteLength;
  }
  await consumer.close();
});
await log.close();
report('fetch', [{records: Number(records), bytes, us_cpu_per_record: round((cpu / Number(records)) * 1e6), records_per_s: Math.round(Number(records) / seconds), rss_mib: rssMiB}]);
