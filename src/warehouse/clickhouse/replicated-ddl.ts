import {LOCK_TABLE} from './migration-lock.ts';
import {loadMigrations, rerunnable, VERSION_TABLE} from './migrations.ts';

const HEAD = `-- The tables of Assay for a ClickHouse cluster of one shard and several replicas, to be run once before the
-- first start (docs/OPERATIONS.md, "A ClickHouse cluster"). Written from sql/migrations; a test compares.
-- Views, and tables of later versions, are made by Assay itself; the database replicates them.
--
--   clickhouse-client --queries-file replicated.sql
CREATE DATABASE IF NOT EXISTS assay ENGINE = Replicated('/clickhouse/databases/assay', '{shard}', '{replica}');
`;

/**
 * The tables with engines that keep a copy on every replica. In a Replicated database these
 * take no path, and Assay's own `CREATE TABLE IF NOT EXISTS` then finds them in place.
 */
export function replicatedDdl(): string {
  const statements = [VERSION_TABLE, LOCK_TABLE, ...loadMigrations().flatMap(migration => migration.statements)];
  const tables = statements.map(rerunnable).filter(statement => /^\s*CREATE TABLE/i.test(statement));
  return `${HEAD}\n${tables.map(replicated).join('\n\n')}\n`;
}

function replicated(statement: string): string {
  const named = statement.trim().replace(/^CREATE TABLE IF NOT EXISTS /, 'CREATE TABLE IF NOT EXISTS assay.');
  return `${named.replace(/\bENGINE = (Replacing)?MergeTree\b/, 'ENGINE = Replicated$1MergeTree')};`;
}
