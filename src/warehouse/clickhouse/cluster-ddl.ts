import {assert} from '../../core/assert.ts';
import {quoteString} from './sql-text.ts';
import {type SqlToken, tokenizeSql} from './sql-tokens.ts';

/**
 * Where the rows of each table lie in a cluster of several shards: the hash of these columns, which are
 * all in the table's sorting key wherever copies collapse, so that the copies of one row meet on one shard
 * and FINAL is right there (docs/adr/0010).
 */
const SHARDED_BY: Readonly<Record<string, readonly string[]>> = {
  exposures: ['unit_id'],
  outcomes: ['unit_id'],
  tombstones: ['unit_id'],
  forgotten_events: ['id_hash'],
  // A partition's positions are asked for in their order.
  arrivals: ['log_epoch', 'partition'],
  dead_letters: ['log_epoch', 'partition'],
  provisional_slices: ['experiment', 'slice_start'],
  slices: ['experiment', 'slice_start'],
  closings: ['stream'],
  streams: ['stream'],
  experiment_versions: ['experiment'],
  verdicts: ['experiment'],
  deliveries: ['delivery_id'],
  alerts: ['alert_id'],
  schema_migrations: ['version'],
  migration_lock: ['holder'],
};

/** Scratch of one analysis: written, read and dropped by the process that works on it, through the server it is connected to. */
const ON_EACH_NODE: ReadonlySet<string> = new Set([
  'analysis_units', 'analysis_units_once', 'analysis_values', 'analysis_outcomes', 'analysis_totals', 'analysis_values_seen', 'analysis_pairs', 'analysis_weights_seen',
  'analysis_answers', 'analysis_items', 'analysis_recounts', 'analysis_item_pairs', 'analysis_pair_rows',
]);

/** What a front over shards is altered by, too; all else is the local tables' own. */
const COLUMN_CHANGES: ReadonlySet<string> = new Set(['ADD', 'DROP', 'MODIFY', 'RENAME', 'COMMENT', 'CLEAR']);

export type ClusterNames = {
  /** As `remote_servers` of the servers calls it. */
  readonly cluster: string;
  readonly database: string;
};

/** Which shard a row lies on, as an expression. */
export function shardingKeyOf(table: string): string {
  const columns = SHARDED_BY[table];
  assert(columns !== undefined, `cluster-ddl.ts says how the table ${table} is sharded`);
  return `cityHash64(${columns.join(', ')})`;
}

export const localName = (table: string): string => `${table}_local`;

/**
 * What stands for a statement of Assay in a cluster of several shards, each of which may have replicas.
 *
 * `CREATE TABLE t` makes replicated `t_local` on every node and a Distributed `t` before it, so that all other
 * SQL stays as it is. What a Distributed table refuses (mutations, partitions) goes to the local tables.
 */
export function clusterStatements(sql: string, names: ClusterNames): string[] {
  const tokens = tokenizeSql(sql);
  const [verb, second] = [tokens[0]?.upper, tokens[1]?.upper];
  if (verb === 'CREATE' && second === 'TABLE') return createTable(sql, tokens, names);
  if (verb === 'ALTER' && second === 'TABLE') return alterTable(sql, tokens, names);
  if (verb === 'DROP' && second === 'TABLE') return dropTable(sql, tokens, names);
  if (verb === 'CREATE' || verb === 'DROP') return [onCluster(sql, nameAfterConditions(tokens), names)];
  return [sql];
}

function createTable(sql: string, tokens: readonly SqlToken[], names: ClusterNames): string[] {
  const name = nameAfterConditions(tokens);
  const table = name.text;
  const isOnEachNode = ON_EACH_NODE.has(table);
  const local = isOnEachNode ? table : localName(table);
  const created = onCluster(replicated(sql, {table: local, names}), nameAfterConditions(tokens), names, local);
  if (isOnEachNode) return [created];
  return [
    created,
    `CREATE TABLE IF NOT EXISTS ${table} ON CLUSTER ${quoteString(names.cluster)} AS ${local}\n` +
      `ENGINE = Distributed(${quoteString(names.cluster)}, ${quoteString(names.database)}, ${local}, ${shardingKeyOf(table)})`,
  ];
}

/** One path a shard: its replicas share it. */
function replicated(sql: string, {table, names}: {readonly table: string; readonly names: ClusterNames}): string {
  const place = `'/clickhouse/tables/{shard}/${names.database}/${table}', '{replica}'`;
  return sql.replace(/\bENGINE = (Replacing)?MergeTree\b(?:\(([^()]*)\))?/, (_, kind: string | undefined, version: string | undefined) =>
    `ENGINE = Replicated${kind ?? ''}MergeTree(${place}${version === undefined ? '' : `, ${version}`})`);
}

function alterTable(sql: string, tokens: readonly SqlToken[], names: ClusterNames): string[] {
  const name = tokens[2];
  assert(name !== undefined, 'ALTER TABLE names a table');
  const isOfColumns = COLUMN_CHANGES.has(tokens[3]?.upper ?? '') && tokens[4]?.upper === 'COLUMN';
  if (ON_EACH_NODE.has(name.text)) return [isOfColumns ? onCluster(sql, name, names) : sql];
  const local = onCluster(sql, name, names, localName(name.text));
  return isOfColumns ? [local, onCluster(sql, name, names)] : [local];
}

function dropTable(sql: string, tokens: readonly SqlToken[], names: ClusterNames): string[] {
  const name = nameAfterConditions(tokens);
  const own = onCluster(sql, name, names);
  return ON_EACH_NODE.has(name.text) ? [own] : [own, onCluster(sql, name, names, localName(name.text))];
}

const WORDS_BEFORE_NAME: ReadonlySet<string> = new Set(['CREATE', 'DROP', 'OR', 'REPLACE', 'TABLE', 'VIEW', 'FUNCTION', 'DICTIONARY', 'DATABASE', 'IF', 'NOT', 'EXISTS']);

function nameAfterConditions(tokens: readonly SqlToken[]): SqlToken {
  const name = tokens.find(({upper, kind}) => kind !== 'word' || !WORDS_BEFORE_NAME.has(upper));
  assert(name !== undefined, 'the statement names what it creates or drops');
  return name;
}

const onCluster = (sql: string, {text, start, end}: SqlToken, {cluster}: ClusterNames, name = text): string =>
  `${sql.slice(0, start)}${name} ON CLUSTER ${quoteString(cluster)}${sql.slice(end)}`;
