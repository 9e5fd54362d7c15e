import {clusterStatements} from './cluster-ddl.ts';
import {LOCK_TABLE} from './migration-lock.ts';
import {loadMigrations, rerunnable, VERSION_TABLE} from './migrations.ts';

const NAMES = {cluster: 'assay', database: 'assay'};

const HEAD = `-- The tables of Assay for a ClickHouse cluster of several shards, each with replicas (docs/OPERATIONS.md, "Several shards").
-- With clickhouse.cluster set Assay makes them itself; run this where its user may not. Written from sql/migrations; a test
-- compares. Every statement does nothing the second time. The cluster's and the database's name here are both assay.
--
--   clickhouse-client --queries-file distributed.sql
CREATE DATABASE IF NOT EXISTS assay ON CLUSTER 'assay';
USE assay;
`;

/** Replicated tables on every node, and Distributed ones before them, as {@link clusterStatements} spells the migrations. */
export function distributedDdl(): string {
  const statements = [VERSION_TABLE, LOCK_TABLE, ...loadMigrations().flatMap(migration => migration.statements)];
  const tables = statements.map(rerunnable).filter(statement => /^\s*(CREATE|ALTER|DROP) TABLE/i.test(statement));
  return `${HEAD}\n${tables.flatMap(statement => clusterStatements(statement, NAMES)).map(statement => `${statement.trim()};`).join('\n\n')}\n`;
}
