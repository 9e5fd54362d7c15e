import type {SqlConnection} from './connection.ts';
import {loadMigrations} from './migrations.ts';

/** What an operator should know of an engine. Nothing is changed by asking. */
export type EngineFacts = {
  readonly version: string;
  readonly nowMs: number;
  /** The user may write. */
  readonly isWritable: boolean;
  readonly schemaVersion: number | null;
  readonly schemaVersionOfCode: number;
  readonly disks: readonly {readonly name: string; readonly freeBytes: number; readonly totalBytes: number}[];
  readonly replicas: readonly {readonly table: string; readonly isReadOnly: boolean; readonly delaySeconds: number; readonly active: number; readonly total: number}[];
  /** The most active parts that a partition of one of our tables has, and where inserts are refused. */
  readonly partsMax: number;
  readonly partsRefused: number;
  /** The newest append time of the live stream by the brokers' clocks. */
  readonly newestAppendMs: number | null;
};

export async function inspectEngine(connection: SqlConnection): Promise<EngineFacts> {
  const rows = <Row>(sql: string): Promise<Row[]> => connection.select<Row>(sql);
  const [about] = await rows<{version: string; now_ms: string; readonly: string}>(
    "SELECT version() AS version, toUnixTimestamp64Milli(now64(3)) AS now_ms, toString(getSetting('readonly')) AS readonly",
  );
  const tables = new Set((await rows<{name: string}>('SELECT name FROM system.tables WHERE database = currentDatabase()')).map(({name}) => name));
  const [schema] = tables.has('schema_migrations') ? await rows<{version: string}>('SELECT max(version) AS version FROM schema_migrations') : [];
  const [append] = tables.has('arrivals')
    ? await rows<{newest_ms: string}>("SELECT toUnixTimestamp64Milli(max(append_ts)) AS newest_ms FROM arrivals WHERE stream = 'live'")
    : [];
  const disks = await rows<{name: string; free: string; total: string}>('SELECT name, free_space AS free, total_space AS total FROM system.disks');
  const replicas = await rows<{table: string; readonly: number; delay: string; active: number; total: number}>(
    'SELECT table, is_readonly AS readonly, absolute_delay AS delay, active_replicas AS active, total_replicas AS total FROM system.replicas WHERE database = currentDatabase()',
  );
  const [parts] = await rows<{most: string}>(
    'SELECT max(parts) AS most FROM (SELECT count() AS parts FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table, partition)',
  );
  const [limit] = await rows<{value: string}>("SELECT value FROM system.merge_tree_settings WHERE name = 'parts_to_throw_insert'");
  return {
    version: about?.version ?? '',
    nowMs: Number(about?.now_ms),
    isWritable: about?.readonly === '0',
    schemaVersion: schema === undefined ? null : Number(schema.version),
    schemaVersionOfCode: loadMigrations().at(-1)?.version ?? 0,
    disks: disks.map(({name, free, total}) => ({name, freeBytes: Number(free), totalBytes: Number(total)})),
    replicas: replicas.map(({table, readonly, delay, active, total}) => ({table, isReadOnly: Number(readonly) === 1, delaySeconds: Number(delay), active: Number(active), total: Number(total)})),
    partsMax: Number(parts?.most ?? 0),
    partsRefused: Number(limit?.value ?? 3_000),
    newestAppendMs: append === undefined || Number(append.newest_ms) <= 0 ? null : Number(append.newest_ms),
  };
}
