import type {WarehouseConnections} from '../clickhouse/clickhouse-warehouse.ts';
import {ServerSqlConnection, type ServerOptions} from './server-connection.ts';

/** Connections to a ClickHouse server. Nothing is sent until the first statement. */
export function openServerConnections(options: ServerOptions): WarehouseConnections {
  const [writer, lookup, closing, stats, guard] = [
    new ServerSqlConnection(options),
    new ServerSqlConnection(options),
    new ServerSqlConnection(options),
    new ServerSqlConnection(options),
    new ServerSqlConnection(options),
  ];
  return {
    writer,
    lookup,
    closing,
    stats,
    guard,
    openReader: settings => Promise.resolve(new ServerSqlConnection(options, {...settings, readonly: 1})),
    openExporter: settings => Promise.resolve(new ServerSqlConnection(options, settings)),
    close: async () => {
      await Promise.all([writer, lookup, closing, stats, guard].map(connection => connection.close()));
    },
  };
}
