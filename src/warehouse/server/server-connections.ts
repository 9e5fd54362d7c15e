import type {WarehouseConnections} from '../clickhouse/clickhouse-warehouse.ts';
import {CLUSTER_SETTINGS, ClusterSqlConnection} from '../clickhouse/cluster-connection.ts';
import type {SqlConnection, SqlSettings} from '../clickhouse/connection.ts';
import {OWN_STATEMENTS} from '../clickhouse/own-statements.ts';
import {ServerSqlConnection, type ServerOptions} from './server-connection.ts';

/** Connections to a ClickHouse server. Nothing is sent until the first statement. */
export function openServerConnections(options: ServerOptions): WarehouseConnections {
  const open = (settings: SqlSettings = {}): SqlConnection => {
    const {cluster = '', database = 'default'} = options;
    if (cluster === '') return new ServerSqlConnection(options, settings);
    return new ClusterSqlConnection(new ServerSqlConnection(options, {...CLUSTER_SETTINGS, ...settings}), {cluster, database});
  };
  const own = (): SqlConnection => open(OWN_STATEMENTS);
  const [writer, lookup, closing, stats, guard] = [own(), own(), own(), own(), own()];
  return {
    writer,
    lookup,
    closing,
    stats,
    guard,
    openReader: settings => Promise.resolve(open({...settings, readonly: 1})),
    openExporter: settings => Promise.resolve(open(settings)),
    close: async () => {
      await Promise.all([writer, lookup, closing, stats, guard].map(connection => connection.close()));
    },
  };
}
