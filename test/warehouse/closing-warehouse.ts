import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {openChdbConnections} from '../../src/warehouse/chdb/chdb-connections.ts';
import type {SqlConnection} from '../../src/warehouse/clickhouse/connection.ts';
import {makeClickHouseWarehouse} from '../../src/warehouse/clickhouse/clickhouse-warehouse.ts';
import {makeSemanticStores} from '../../src/warehouse/clickhouse/semantic-stores.ts';
import type {Warehouse} from '../../src/warehouse/warehouse.ts';
import {systemClock} from '../helpers/clickhouse-storage.ts';

export type ChdbWarehouse = {readonly warehouse: Warehouse; readonly sql: SqlConnection; close(): Promise<void>};

/** The whole warehouse on a new embedded engine, and a connection for SQL of the test's own; on two shards if asked by ASSAY_TEST_SHARDS=2. */
export async function openChdbWarehouse(): Promise<ChdbWarehouse> {
  if (process.env['ASSAY_TEST_SHARDS'] === '2') return (await import('../helpers/sharded-engine.ts')).openShardedWarehouse();
  const directory = await mkdtemp(join(tmpdir(), 'assay-semantics-'));
  const connections = await openChdbConnections({directory: join(directory, 'warehouse')});
  const warehouse = makeClickHouseWarehouse(
    {connections, clock: systemClock, holder: null, access: 'tables'},
    makeSemanticStores(connections),
  );
  await warehouse.migrate();
  return {
    warehouse,
    sql: connections.stats,
    close: async () => {
      await warehouse.close();
      await rm(directory, {recursive: true, force: true});
    },
  };
}
