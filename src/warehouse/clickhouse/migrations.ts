import {createHash} from 'node:crypto';
import {readdirSync, readFileSync} from 'node:fs';
import type {Clock} from '../../core/clock.ts';
import {AssayError, messageOf} from '../../core/errors.ts';
import type {MigrationReport} from '../warehouse.ts';
import type {SqlConnection} from './connection.ts';
import {withMigrationLock} from './migration-lock.ts';
import {splitStatements, tokenizeSql} from './sql-tokens.ts';

const MIGRATIONS = new URL('../../../sql/migrations/', import.meta.url);

export type Migration = {
  readonly version: number;
  /** e.g. `0001-facts.sql`. */
  readonly name: string;
  readonly checksum: string;
  /** Of texts that it replaces: a store made by one of them stays as it is. */
  readonly formerChecksums: readonly string[];
  readonly statements: readonly string[];
};

export type MigrateOptions = {
  readonly migrations: readonly Migration[];
  readonly clock: Clock;
  /** Names this process among others that may migrate at the same time; null when no other can. */
  readonly holder: string | null;
};

/**
 * Applies what is missing, in order. Each migration is recorded after its last
 * statement; a crash in the middle runs it again from its first statement, which is
 * why every statement must do nothing the second time.
 *
 * @throws AssayError `ASSAY_MIGRATION_FAILED` an applied migration was edited, the store is newer, or a statement fails
 */
export async function migrate(connection: SqlConnection, options: MigrateOptions): Promise<MigrationReport> {
  await connection.command(VERSION_TABLE);
  const missing = await missingMigrations(connection, options.migrations);
  const version = options.migrations.at(-1)?.version ?? 0;
  if (missing.length === 0) return {applied: [], version};
  const apply = async (): Promise<MigrationReport> => {
    // Read again: whoever had the lock before may have done the work.
    const toApply = await missingMigrations(connection, options.migrations);
    for (const migration of toApply) await applyMigration(connection, migration);
    return {applied: toApply.map(({name}) => name), version};
  };
  const {clock, holder} = options;
  return holder === null ? apply() : withMigrationLock(connection, {clock, holder}, apply);
}

/** `sql/migrations/NNNN-*.sql` in order. */
export function loadMigrations(directory: URL = MIGRATIONS): Migration[] {
  const names = readdirSync(directory).filter(name => name.endsWith('.sql')).sort();
  return names.map((name, index) => {
    const version = Number(/^(\d{4})-/.exec(name)?.[1]);
    if (version !== index + 1) {
      throw new AssayError('ASSAY_MIGRATION_FAILED', `${name} should be number ${index + 1} of the migrations`);
    }
    return parseMigration(name, readFileSync(new URL(name, directory), 'utf8'));
  });
}

/**
 * The checksum is over the tokens, so comments and layout may be improved after a release. A line `-- former: <checksum>`
 * names a text that this one takes the place of for stores that begin after (docs/adr/0012).
 */
export function parseMigration(name: string, text: string): Migration {
  const hash = createHash('sha256');
  for (const token of tokenizeSql(text)) hash.update(token.text).update('\0');
  let statements: readonly string[] | undefined;
  return {
    version: Number(name.slice(0, 4)),
    name,
    checksum: hash.digest('hex').slice(0, 32),
    formerChecksums: [...text.matchAll(/^-- former: ([0-9a-f]{32})$/gm)].map(([, checksum = '']) => checksum),
    // Most processes find everything applied.
    get statements() {
      statements ??= splitStatements(text).map(rerunnable);
      return statements;
    },
  };
}

/** `CREATE TABLE t` → `CREATE TABLE IF NOT EXISTS t`; a view is replaced, since only its latest text counts. */
export function rerunnable(statement: string): string {
  const [first, second, third] = tokenizeSql(statement);
  if (first?.upper === 'CREATE' && second?.upper === 'VIEW' && third?.upper !== 'IF') {
    return `CREATE OR REPLACE VIEW${statement.slice(second.end)}`;
  }
  if (first?.upper === 'CREATE' && second !== undefined && CREATED.has(second.upper) && third?.upper !== 'IF') {
    return `${statement.slice(0, second.end)} IF NOT EXISTS${statement.slice(second.end)}`;
  }
  return statement;
}

const CREATED: ReadonlySet<string> = new Set(['TABLE', 'FUNCTION', 'DATABASE', 'DICTIONARY']);

export const VERSION_TABLE = `
  CREATE TABLE IF NOT EXISTS schema_migrations (
    version UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
  ) ENGINE = ReplacingMergeTree ORDER BY version
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`;

async function missingMigrations(connection: SqlConnection, migrations: readonly Migration[]): Promise<Migration[]> {
  type Applied = {version: number; name: string; checksum: string};
  const applied = await connection.select<Applied>('SELECT version, name, checksum FROM schema_migrations FINAL ORDER BY version');
  for (const row of applied) {
    const known = migrations.find(({version}) => version === row.version);
    if (known === undefined) {
      throw new AssayError('ASSAY_MIGRATION_FAILED', `the warehouse has ${row.name}, which this version of Assay does not know: run a newer one`);
    }
    if (known.checksum !== row.checksum && !known.formerChecksums.includes(row.checksum)) {
      throw new AssayError('ASSAY_MIGRATION_FAILED', `${known.name} was edited after it had been applied; put its text back and write a new migration`);
    }
  }
  const done = new Set(applied.map(({version}) => version));
  return migrations.filter(({version}) => !done.has(version));
}

async function applyMigration(connection: SqlConnection, migration: Migration): Promise<void> {
  for (const [index, statement] of migration.statements.entries()) {
    try {
      await connection.command(statement);
    } catch (cause) {
      if (cause instanceof AssayError && cause.kind === 'retry') throw cause;
      throw new AssayError('ASSAY_MIGRATION_FAILED', `statement ${index + 1} of ${migration.name}: ${messageOf(cause)}`, {cause});
    }
  }
  const {version, name, checksum} = migration;
  await connection.command(
    'INSERT INTO schema_migrations (version, name, checksum) SELECT {version:UInt32}, {name:String}, {checksum:String}',
    {version, name, checksum},
  );
}
