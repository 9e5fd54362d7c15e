/**
 * Resident memory of a worker without the embedded engine over a long lag: a process of
 * its own reads the backlog from the embedded log (or Kafka) and writes to a ClickHouse
 * interface over HTTP that answers at once, then stalls, then refuses, then answers again.
 * Twice: at a fifth of the backlog, and at all of it. `node bench/memory.mjs [events] [kafka host:port]`
 */
import {spawn} from 'node:child_process';
import {createServer} from 'node:http';
import {SYSTEM_CLOCK} from '../dist/roles/system.js';
import {makeClickHouseWarehouse} from '../dist/warehouse/clickhouse/clickhouse-warehouse.js';
import {makeSemanticStores} from '../dist/warehouse/clickhouse/semantic-stores.js';
import {openServerConnections} from '../dist/warehouse/server/server-connections.js';
import {eventsOf, fill, measured, openEmbeddedLog, openKafkaLog, report, streamOf, viewsOf, withDirectory, work} from './lib/harness.mjs';

const STALL_MS = 8_000;
const REFUSE_MS = 4_000;
/** The share of the backlog that is stored before the sink stalls. */
const CALM_SHARE = 0.3;
const EXPERIMENTS = 10;

const [first = '2000000', ...rest] = process.argv.slice(2);
if (first === '--worker') await reportWorker(JSON.parse(rest[0]));
else await compare(Number(first), rest[0]);

async function compare(events, broker) {
  const rows = [];
  for (const backlog of [Math.floor(events / 5), events]) rows.push(await overLag(backlog, broker));
  report('memory', rows, {bound_mib: 512});
}

function overLag(events, broker) {
  return withDirectory(async directory => {
    const startTs = Date.now() - 3_600_000;
    const stream = streamOf(`memory-${process.pid}-${events}`, 6);
    const log = broker === undefined ? await openEmbeddedLog(directory) : await openKafkaLog(broker);
    const records = await fill(log, stream, eventsOf({count: events, units: 500_000, experiments: EXPERIMENTS, startTs, lengthMs: 600_000}));
    await log.close();
    const sink = await openSink(records * CALM_SHARE);
    const seen = await workerOf({url: sink.url, directory, broker: broker ?? null, stream, records, startTs});
    sink.close();
    return {log: broker === undefined ? 'embedded' : 'kafka', backlog: records, ...seen, inserts: sink.inserts(), refused: sink.refused()};
  });
}

function workerOf(task) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [new URL(import.meta.url).pathname, '--worker', JSON.stringify(task)], {stdio: ['ignore', 'pipe', 'inherit']});
    let text = '';
    child.stdout.on('data', chunk => (text += chunk));
    child.on('exit', code => (code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`the worker ended with ${code}`))));
  });
}

async function reportWorker({url, directory, broker, stream, records, startTs}) {
  const connections = openServerConnections({url});
  const warehouse = makeClickHouseWarehouse({connections, clock: SYSTEM_CLOCK, holder: null, access: 'tables'}, makeSemanticStores(connections));
  const log = broker === null ? await openEmbeddedLog(directory) : await openKafkaLog(broker);
  const views = viewsOf(stream.name, EXPERIMENTS, {startTs});
  const {cpu, seconds, rssMiB} = await measured(() => work({log, warehouse, stream, views, records, isBacklog: true}));
  await log.close();
  console.log(JSON.stringify({rss_mib: rssMiB, events_per_s: Math.round(records / seconds), us_cpu_per_event: Number(((cpu / records) * 1e6).toFixed(2))}));
}

/** Takes inserts as a server does: calm for `calmRows` rows of arrivals (about), then it stalls and refuses once. */
async function openSink(calmRows) {
  let [bytes, inserts, refused, troubledAt] = [0, 0, 0, null];
  // A row of arrivals is about 60 bytes of its block.
  const isTroubled = () => bytes > calmRows * 60;
  const server = createServer((request, response) => {
    const isArrivals = decodeURIComponent(request.url).includes('`arrivals`');
    request.on('data', chunk => {
      if (isArrivals) bytes += chunk.length;
    });
    request.on('end', () => {
      if (isArrivals) inserts += 1;
      if (isArrivals && isTroubled()) troubledAt ??= Date.now();
      const since = troubledAt === null ? null : Date.now() - troubledAt;
      if (since !== null && since < STALL_MS) return void setTimeout(() => response.end(), STALL_MS - since);
      if (since !== null && since < STALL_MS + REFUSE_MS) {
        refused += 1;
        response.writeHead(503, {'x-clickhouse-exception-code': '252'});
        return void response.end('Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)');
      }
      response.end();
    });
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return {url: `http://127.0.0.1:${server.address().port}`, inserts: () => inserts, refused: () => refused, close: () => server.close()};
}
