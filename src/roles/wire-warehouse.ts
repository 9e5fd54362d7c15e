import {randomUUID} from 'node:crypto';
import {join} from 'node:path';
import type {Config} from '../config/load.ts';
import {connectionsOf} from '../warehouse/chdb/chdb-connections.ts';
import {openChdbEngine} from '../warehouse/chdb/chdb-engine.ts';
import {ChdbExecutor} from '../warehouse/chdb/chdb-executor.ts';
import {makeClickHouseWarehouse, type WarehouseConnections} from '../warehouse/clickhouse/clickhouse-warehouse.ts';
import {makeSemanticStores} from '../warehouse/clickhouse/semantic-stores.ts';
import type {ServerOptions} from '../warehouse/server/server-connection.ts';
import {openServerConnections} from '../warehouse/server/server-connections.ts';
import type {SqlExecutor} from '../warehouse/sql-executor.ts';
import type {Warehouse} from '../warehouse/warehouse.ts';
import {pem, type Ports} from './wire-log.ts';

export type WiredWarehouse = {
  readonly warehouse: Warehouse;
  /** Runs statements of the SQL endpoint; null when analysts ask the ClickHouse server itself. */
  readonly executor: SqlExecutor | null;
};

/** The warehouse that the configuration names. */
export async function openWarehouse(config: Config, {clock}: Ports): Promise<WiredWarehouse> {
  if (config.text('warehouse.kind') !== 'embedded') return {warehouse: warehouseOf(openServerConnections(serverOptions(config)), {clock, holder: randomUUID()}), executor: null};
  const engine = await openChdbEngine({directory: join(config.text('data'), 'warehouse')});
  const connections = await connectionsOf(engine, () => engine.close());
  return {warehouse: warehouseOf(connections, {clock, holder: null}), executor: new ChdbExecutor(engine)};
}

const warehouseOf = (connections: WarehouseConnections, {clock, holder}: Pick<Ports, 'clock'> & {readonly holder: string | null}): Warehouse =>
  makeClickHouseWarehouse({connections, clock, holder, access: 'tables'}, makeSemanticStores(connections));

/** How the configuration says a ClickHouse server is reached. */
export const serverOptions = (config: Config): ServerOptions => ({
  url: config.text('clickhouse.url'),
  user: config.text('clickhouse.user'),
  password: config.text('clickhouse.password'),
  database: config.text('clickhouse.database'),
  cluster: config.text('clickhouse.cluster'),
  requestTimeoutMs: config.number('clickhouse.timeout_ms'),
  caCert: caOf(config),
});

function caOf(config: Config): Uint8Array | null {
  const {ca} = pem(config, 'clickhouse.ca_file', 'ca');
  return ca === undefined ? null : Buffer.from(ca);
}
