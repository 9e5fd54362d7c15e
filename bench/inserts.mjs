/**
 * What the engine alone costs per row: columns made from records, inserted, and merged
 * once, table by table. `node bench/inserts.mjs [rows per insert] [inserts]`
 */
import {join} from 'node:path';
import {encodeExposure, encodeOutcome} from '../dist/avro/released.js';
import {SYSTEM_CLOCK} from '../dist/roles/system.js';
import {connectionsOf} from '../dist/warehouse/chdb/chdb-connections.js';
import {openChdbEngine} from '../dist/warehouse/chdb/chdb-engine.js';
import {makeClickHouseWarehouse} from '../dist/warehouse/clickhouse/clickhouse-warehouse.js';
import {ArrivalTableColumns, ExposureColumns, OutcomeColumns} from '../dist/warehouse/clickhouse/native-facts.js';
import {makeSemanticStores} from '../dist/warehouse/clickhouse/semantic-stores.js';
import {decodeBatch} from '../dist/worker/decode-batch.js';
import {startCursor} from '../dist/worker/partition-cursor.js';
import {PendingRows} from '../dist/worker/pending-rows.js';
import {openRecordHasher} from '../dist/worker/record-hasher.js';
import {CODEC, eventsOf, measured, report, round, withDirectory} from './lib/harness.mjs';

const [rowsPerInsert = '50000', inserts = '8'] = process.argv.slice(2);
const TABLES = {
  outcomes: {columns: new OutcomeColumns(), fill: (rows, columns) => rows.outcomes.visit(columns)},
  exposures: {columns: new ExposureColumns(), fill: (rows, columns) => rows.exposures.visit(columns)},
  arrivals: {columns: new ArrivalTableColumns(), fill: (rows, columns) => rows.arrivals.columns().forEach(part => columns.pushColumns(part))},
};

await withDirectory(async directory => {
  const engine = await openChdbEngine({directory: join(directory, 'warehouse')});
  const connections = await connectionsOf(engine, () => engine.close());
  const warehouse = makeClickHouseWarehouse({connections, clock: SYSTEM_CLOCK, holder: null, access: 'tables'}, makeSemanticStores(connections));
  await warehouse.migrate();
  const batches = await takeBatches();
  const rows = [];
  for (const round of ['cold', 'warm']) {
    for (const [table, {columns, fill}] of Object.entries(TABLES)) {
      const row = await costOf(table, {connections, columns, fill, batches});
      if (round === 'warm') rows.push(row);
    }
  }
  await warehouse.close();
  report('inserts', rows, {rows_per_insert: Number(rowsPerInsert), inserts: Number(inserts)});
});

async function costOf(table, {connections: {closing, writer}, columns, fill, batches}) {
  await closing.command(`TRUNCATE TABLE ${table}`);
  await closing.command(`SYSTEM STOP MERGES ${table}`);
  const blocks = [];
  const encoding = await measured(async () => {
    for (const batch of batches) {
      columns.clear();
      fill(batch, columns);
      blocks.push({bytes: columns.block('live'), rows: columns.rows});
    }
  });
  const count = blocks.reduce((sum, {rows}) => sum + rows, 0);
  const inserting = await measured(async () => {
    for (const {bytes, rows} of blocks) await writer.insertNative(table, columns.names, bytes, rows);
  });
  await closing.command(`SYSTEM START MERGES ${table}`);
  const merging = await measured(() => closing.command(`OPTIMIZE TABLE ${table} FINAL`));
  const [{bytes}] = await closing.select(`SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE table = '${table}' AND active`);
  const us = ({cpu}) => round((cpu / count) * 1e6);
  return {table, rows: count, encode_us: us(encoding), insert_us: us(inserting), merge_us: us(merging), bytes_per_row: round(Number(bytes) / count, 1)};
}

async function takeBatches() {
  const hasher = await openRecordHasher();
  const count = Number(rowsPerInsert) * Number(inserts);
  const source = eventsOf({count: count + 1, units: count / 4, experiments: 10, startTs: Date.now() - 3_600_000, lengthMs: 600_000});
  return Array.from({length: Number(inserts)}, (_, batch) => {
    const at = {logEpoch: 1, partition: 0, startOffset: BigInt(batch * Number(rowsPerInsert))};
    const rows = new PendingRows(at, {codec: CODEC, hasher});
    const records = Array.from({length: Number(rowsPerInsert)}, (_, index) => {
      const {value: event} = source.next();
      const value = event.kind === 'outcome' ? encodeOutcome(event) : encodeExposure(event);
      return {partition: 0, offset: at.startOffset + BigInt(index), timestamp: event.eventTs, key: event.unitId, value, headers: {}};
    });
    decodeBatch(startCursor(at, null), records, {codec: CODEC, hasher, maxAgeMs: null, rows});
    return rows;
  });
}
