import {randomUUID} from 'node:crypto';
import {join} from 'node:path';
import type {Config} from '../config/load.ts';
import {openChdbConnections} from '../warehouse/chdb/chdb-connections.ts';
import {makeClickHouseWarehouse, type WarehouseConnections} from '../warehouse/clickhouse/clickhouse-warehouse.ts';
import {makeSemanticStores} from '../warehouse/clickhouse/semantic-stores.ts';
import {openServerConnections} from '../warehouse/server/server-connections.ts';
import type {Warehouse} from '../warehouse/warehouse.ts';
import {pem, type Ports} from './wire-log.ts';

/** The warehouse that the configuration names. */
export async function openWarehouse(config: Config, {clock}: Ports): Promise<Warehouse> {
  const isEmbedded = config.text('warehouse.kind') === 'embedded';
  const connections: WarehouseConnections = isEmbedded
    ? await openChdbConnections({directory: join(config.text('data'), 'warehouse')})
    : openServerConnections({
        url: config.text('clickhouse.url'),
        user: config.text('clickhouse.user'),
        password: config.text('clickhouse.password'),
        database: config.text('clickhouse.database'),
        requestTimeoutMs: config.number('clickhouse.timeout_ms'),
        caCert: caOf(config),
      });
  return makeClickHouseWarehouse({connections, clock, holder: isEmbedded ? null : randomUUID(), access: 'tables'}, makeSemanticStores(connections));
}

function caOf(config: Config): Uint8Array | null {
  const {ca} = pem(config, 'clickhouse.ca_file', 'ca');
  return ca === undefined ? null : Buffer.from(ca);
}
