import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {openChdbEngine} from '../../src/warehouse/chdb/chdb-engine.ts';
import {makeClickHouseWarehouse, type WarehouseConnections} from '../../src/warehouse/clickhouse/clickhouse-warehouse.ts';
import {CLUSTER_SETTINGS, ClusterSqlConnection} from '../../src/warehouse/clickhouse/cluster-connection.ts';
import {shardingKeyOf} from '../../src/warehouse/clickhouse/cluster-ddl.ts';
import type {SqlConnection, SqlParams, SqlSettings} from '../../src/warehouse/clickhouse/connection.ts';
import {makeSemanticStores} from '../../src/warehouse/clickhouse/semantic-stores.ts';
import type {ChdbWarehouse} from '../warehouse/closing-warehouse.ts';
import {systemClock} from './clickhouse-storage.ts';

const NAMES = {cluster: 'two_shards', database: 'default'};

const SHARD = '<shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>9000</port></replica></shard>';
const CONFIG = `<clickhouse><tcp_port>9000</tcp_port><remote_servers><${NAMES.cluster}>${SHARD}${SHARD}</${NAMES.cluster}></remote_servers></clickhouse>`;

/**
 * Without a Keeper there is nobody to pass DDL on, and nothing to replicate with: one process is all nodes.
 * A local table of one process holds both shards' rows, in partitions of their own, so that copies of a row on two
 * shards stay two.
 */
function inOneProcess(sql: string, keyOf: (table: string) => string): string {
  const own = sql.replace(/ ON CLUSTER 'two_shards'/, '').replace(/\bReplicated(Replacing)?MergeTree\('[^']*', '\{replica\}'(?:, (\w+))?\)/, (_, kind = '', version?: string) => `${kind}MergeTree(${version ?? ''})`);
  const table = /^\s*CREATE TABLE IF NOT EXISTS (\w+)_local\b/.exec(own)?.[1];
  if (table === undefined) return own;
  const shard = `${keyOf(table)} % 2`;
  return own.includes('PARTITION BY') ? own.replace(/PARTITION BY (.*)\n/, (_, by: string) => `PARTITION BY (${shard}, ${by})\n`) : own.replace(/\bORDER BY/, `PARTITION BY ${shard}\nORDER BY`);
}

class OneProcess implements SqlConnection {
  readonly #inner: SqlConnection;
  readonly #onStatement: (sql: string) => void;
  readonly #keyOf: (table: string) => string;
  readonly select: SqlConnection['select'];
  readonly selectText: SqlConnection['selectText'];
  readonly saveParquet: SqlConnection['saveParquet'];
  readonly insertRowBinary: SqlConnection['insertRowBinary'];
  readonly insertNative: SqlConnection['insertNative'];
  readonly close: SqlConnection['close'];

  constructor(inner: SqlConnection, {onStatement, keyOf}: {readonly onStatement: (sql: string) => void; readonly keyOf: (table: string) => string}) {
    this.#inner = inner;
    this.#onStatement = onStatement;
    this.#keyOf = keyOf;
    this.select = (sql, ...others) => {
      onStatement(sql);
      return inner.select(sql, ...others);
    };
    this.selectText = (sql, ...others) => {
      onStatement(sql);
      return inner.selectText(sql, ...others);
    };
    this.saveParquet = (...asked) => inner.saveParquet(...asked);
    this.insertRowBinary = (...asked) => inner.insertRowBinary(...asked);
    this.insertNative = (...asked) => inner.insertNative(...asked);
    this.close = () => inner.close();
  }

  command(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<void> {
    this.#onStatement(sql);
    return this.#inner.command(inOneProcess(sql, this.#keyOf), params, settings);
  }
}

/**
 * Of each local table a shard shows the rows that the sharding key sends to it, as an insert over a network would
 * have placed them. Of what is kept on each node no shard shows any: the node that filled it need not be one of them.
 */
const shardFilters = (tables: readonly {readonly name: string; readonly by: string}[]): string =>
  `{${tables.map(({name, by}) => (by === '' ? `'${name}': 'shardNum() = 0'` : `'${name}_local': '${by} % 2 = shardNum() - 1'`)).join(', ')}}`;

export type ShardedOptions = {
  /** Instead of the sharding key a table has, to see that it matters. */
  readonly keys?: Readonly<Record<string, string>>;
  /** Told of every statement. */
  readonly onStatement?: (sql: string) => void;
};

/**
 * The whole warehouse over two shards in one process. The engine plans and runs every query as over a cluster
 * of two: each shard by itself, then what they sent together. Both shards keep their rows in one table, of which
 * each sees its own.
 */
export async function openShardedWarehouse({keys = {}, onStatement = () => undefined}: ShardedOptions = {}): Promise<ChdbWarehouse> {
  const directory = await mkdtemp(join(tmpdir(), 'assay-shards-'));
  const configFile = join(directory, 'cluster.xml');
  await writeFile(configFile, CONFIG);
  const engine = await openChdbEngine({directory: join(directory, 'warehouse'), configFile});
  const keyOf = (table: string): string => keys[table] ?? shardingKeyOf(table);
  const opened: Pick<SqlConnection, 'command'>[] = [];
  const open = async (settings: SqlSettings = {}): Promise<SqlConnection> => {
    const connection = await engine.openConnection({...CLUSTER_SETTINGS, prefer_localhost_replica: 1, do_not_merge_across_partitions_select_final: 1, ...settings});
    opened.push(connection);
    return new ClusterSqlConnection(new OneProcess(connection, {onStatement, keyOf}), NAMES);
  };
  const connections: WarehouseConnections = {
    writer: await open(), lookup: await open(), closing: await open(), stats: await open(), guard: await open(),
    openReader: async settings => open({...settings, additional_table_filters: await filters(), readonly: 1}),
    openExporter: async settings => open({...settings, additional_table_filters: await filters()}),
    close: () => engine.close(),
  };
  const filters = async (): Promise<string> => {
    const sql = `SELECT name, engine FROM system.tables WHERE engine = 'Distributed' OR name LIKE 'analysis\\\\_%'`;
    const tables = await connections.stats.select<{name: string; engine: string}>(sql);
    return shardFilters(tables.map(({name, engine}) => ({name, by: engine === 'Distributed' ? keyOf(name) : ''})));
  };
  const warehouse = makeClickHouseWarehouse({connections, clock: systemClock, holder: null, access: 'tables'}, makeSemanticStores(connections));
  await warehouse.migrate();
  const text = await filters();
  for (const connection of [...opened]) await connection.command(`SET additional_table_filters = ${text}`);
  return {
    warehouse,
    sql: connections.stats,
    close: async () => {
      await warehouse.close();
      await rm(directory, {recursive: true, force: true});
    },
  };
}
