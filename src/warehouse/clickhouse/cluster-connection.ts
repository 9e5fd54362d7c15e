import {type ClusterNames, clusterStatements} from './cluster-ddl.ts';
import type {SqlConnection, SqlParams, SqlSettings} from './connection.ts';

/** What queries over Distributed tables need to give the answers of one server (docs/adr/0010). */
export const CLUSTER_SETTINGS: SqlSettings = {
  // What is joined or looked up in is worked out once, over all shards, and sent to each.
  distributed_product_mode: 'global',
  // Acknowledged means durable on the shard, not in a queue before it.
  distributed_foreground_insert: 1,
  // An INSERT … SELECT reads all shards; run on each of them it would see one.
  parallel_distributed_insert_select: 0,
  // A shard that is away is an error, never an answer without it.
  skip_unavailable_shards: 0,
  optimize_skip_unused_shards: 1,
  // Reads go where writes went.
  load_balancing: 'in_order',
};

/** A connection to a cluster of several shards: DDL and mutations are spelled for it, all else is passed on. */
export class ClusterSqlConnection implements SqlConnection {
  readonly #inner: SqlConnection;
  readonly #names: ClusterNames;

  /** @param inner has the {@link CLUSTER_SETTINGS} */
  constructor(inner: SqlConnection, names: ClusterNames) {
    this.#inner = inner;
    this.#names = names;
  }

  async command(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<void> {
    for (const statement of clusterStatements(sql, this.#names)) await this.#inner.command(statement, params, settings);
  }

  select<Row>(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<Row[]> {
    return this.#inner.select<Row>(sql, params, settings);
  }

  selectText(sql: string, params?: SqlParams, settings?: SqlSettings): Promise<string> {
    return this.#inner.selectText(sql, params, settings);
  }

  saveParquet(sql: string, path: string, settings?: SqlSettings): Promise<number | null> {
    return this.#inner.saveParquet(sql, path, settings);
  }

  insertRowBinary(table: string, columns: readonly string[], rows: Uint8Array, rowCount: number): Promise<void> {
    return this.#inner.insertRowBinary(table, columns, rows, rowCount);
  }

  insertNative(table: string, columns: readonly string[], block: readonly Uint8Array[], rowCount: number): Promise<void> {
    return this.#inner.insertNative(table, columns, block, rowCount);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
