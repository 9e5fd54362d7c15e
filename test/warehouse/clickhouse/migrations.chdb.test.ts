import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import type {SqlConnection} from '../../../src/warehouse/clickhouse/connection.ts';
import {withMigrationLock} from '../../../src/warehouse/clickhouse/migration-lock.ts';
import {loadMigrations, migrate, parseMigration, rerunnable} from '../../../src/warehouse/clickhouse/migrations.ts';
import {splitStatements} from '../../../src/warehouse/clickhouse/sql-tokens.ts';
import {chdbSkipReason, openTemporaryEngine, type TemporaryEngine} from '../../helpers/chdb-engine.ts';
import {systemClock} from '../../helpers/clickhouse-storage.ts';

describe('migrations as text', () => {
  test('statements end at semicolons, not at those in literals and comments', () => {
    const text = "-- a; b\nSELECT ';' /* ; /* ; */ */, `;`, $x$;$x$;\n\n;SELECT 2 -- end";
    expect(splitStatements(text)).toEqual(["SELECT ';' /* ; /* ; */ */, `;`, $x$;$x$", 'SELECT 2']);
  });

  test('what creates something does nothing the second time', () => {
    expect(rerunnable('CREATE TABLE t (a UInt8)')).toBe('CREATE TABLE IF NOT EXISTS t (a UInt8)');
    expect(rerunnable('create view v AS SELECT 1')).toBe('CREATE OR REPLACE VIEW v AS SELECT 1');
    expect(rerunnable('CREATE TABLE IF NOT EXISTS t (a UInt8)')).toBe('CREATE TABLE IF NOT EXISTS t (a UInt8)');
  });

  test('every statement of sql/migrations can run twice', () => {
    for (const {name, statements} of loadMigrations()) {
      for (const statement of statements) expect(`${name}: ${statement.slice(0, 60)}`).toMatch(/IF (NOT )?EXISTS|OR REPLACE|MODIFY SETTING/);
    }
  });

  test('comments and layout do not count as an edit, anything else does', () => {
    const sum = (text: string): string => parseMigration('0001-a.sql', text).checksum;
    expect(sum('CREATE TABLE t (a UInt8);')).toBe(sum('-- why\nCREATE TABLE t\n  (a UInt8);'));
    expect(sum('CREATE TABLE t (a UInt8);')).not.toBe(sum('CREATE TABLE t (a UInt16);'));
  });
});

const skipReason = await chdbSkipReason();

describe.skipIf(skipReason !== null)(`migrating${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let temporary: TemporaryEngine;
  let connection: SqlConnection;
  const first = parseMigration('0001-first.sql', 'CREATE TABLE a (x UInt8) ENGINE = MergeTree ORDER BY x; CREATE TABLE b (x UInt8) ENGINE = MergeTree ORDER BY x;');
  const second = parseMigration('0002-second.sql', 'CREATE VIEW v AS SELECT x FROM a;');
  const run = (migrations: readonly (typeof first)[]) => migrate(connection, {migrations, clock: systemClock, holder: null});

  beforeEach(async () => {
    temporary = await openTemporaryEngine();
    connection = await temporary.engine.openConnection();
  });
  afterEach(() => temporary.remove());

  test('applies what is missing, in order', async () => {
    expect(await run([first])).toEqual({applied: ['0001-first.sql'], version: 1});
    expect(await run([first, second])).toEqual({applied: ['0002-second.sql'], version: 2});
    expect(await run([first, second])).toEqual({applied: [], version: 2});
  });

  test('goes on where a crash in the middle left it', async () => {
    const broken = {...first, statements: [...first.statements.slice(0, 1), 'CREATE NONSENSE']};
    await expect(run([broken])).rejects.toMatchObject({code: 'ASSAY_MIGRATION_FAILED', message: expect.stringMatching(/statement 2 of 0001-first\.sql/)});
    await connection.command('INSERT INTO a SELECT 1');
    expect((await run([first])).applied).toEqual(['0001-first.sql']);
    expect(await connection.select('SELECT x FROM a')).toEqual([{x: 1}]);
  });

  test('an edited migration that was applied is refused by name', async () => {
    await run([first, second]);
    const edited = parseMigration('0002-second.sql', 'CREATE VIEW v AS SELECT x + 1 AS x FROM a;');
    await expect(run([first, edited])).rejects.toMatchObject({code: 'ASSAY_MIGRATION_FAILED', message: expect.stringMatching(/0002-second\.sql was edited/)});
  });

  test('a text that names the one applied as its former is taken, and does not run', async () => {
    await run([first, second]);
    const rewritten = parseMigration('0002-second.sql', `-- former: ${second.checksum}\nCREATE VIEW v AS SELECT x + 1 AS x FROM a;`);
    expect(await run([first, rewritten])).toEqual({applied: [], version: 2});
    await connection.command('INSERT INTO a SELECT 1');
    expect(await connection.select('SELECT x FROM v')).toEqual([{x: 1}]);
  });

  test('a store of a newer version is refused', async () => {
    await run([first, second]);
    await expect(run([first])).rejects.toMatchObject({code: 'ASSAY_MIGRATION_FAILED', message: expect.stringMatching(/0002-second\.sql.*newer/)});
  });

  test('the lock lets one holder in at a time, whoever they are', async () => {
    let inside = 0;
    let most = 0;
    const holders = await Promise.all(Array.from({length: 4}, async (_, index) => ({holder: `h${index}`, connection: await temporary.engine.openConnection()})));
    await Promise.all(
      holders.map(({holder, connection: own}) =>
        withMigrationLock(own, {clock: systemClock, holder}, async () => {
          inside += 1;
          most = Math.max(most, inside);
          await systemClock.sleep(20);
          inside -= 1;
        }),
      ),
    );
    expect(most).toBe(1);
  });

  test('processes that migrate at once apply each migration once', async () => {
    const reports = await Promise.all(
      ['p1', 'p2', 'p3'].map(async holder =>
        migrate(await temporary.engine.openConnection(), {migrations: [first, second], clock: systemClock, holder}),
      ),
    );
    expect(reports.flatMap(({applied}) => applied).toSorted()).toEqual(['0001-first.sql', '0002-second.sql']);
  });

  test('the lease of a holder that died runs out', async () => {
    await withMigrationLock(connection, {clock: systemClock, holder: 'warm-up'}, () => Promise.resolve());
    await connection.command("INSERT INTO migration_lock (holder, step, number, at) SELECT 'dead', 'waiting', 1, now64(3) - toIntervalMillisecond(59500)");
    let hasRun = false;
    await withMigrationLock(connection, {clock: systemClock, holder: 'alive'}, () => {
      hasRun = true;
      return Promise.resolve();
    });
    expect(hasRun).toBe(true);
  });
});
