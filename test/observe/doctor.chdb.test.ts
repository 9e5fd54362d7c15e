import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {loadConfig} from '../../src/config/load.ts';
import {examine} from '../../src/roles/doctor.ts';
import {inspectEngine} from '../../src/warehouse/clickhouse/inspect-engine.ts';
import {loadMigrations, migrate} from '../../src/warehouse/clickhouse/migrations.ts';
import {ServerSqlConnection} from '../../src/warehouse/server/server-connection.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {openServerUnderTest, type ServerUnderTest} from '../helpers/clickhouse-server.ts';
import {systemClock} from '../helpers/clickhouse-storage.ts';

const skipReason = await chdbSkipReason();

describe.skipIf(skipReason !== null)('a ClickHouse server', () => {
  let server: ServerUnderTest;
  let connection: ServerSqlConnection;
  const directory = mkdtempSync(join(tmpdir(), 'assay-doctor-'));

  beforeAll(async () => {
    server = await openServerUnderTest({user: 'assay', password: 'secret'});
    connection = new ServerSqlConnection({url: server.front.url, user: 'assay', password: 'secret'});
  });
  afterAll(async () => {
    await connection?.close();
    await server?.remove();
    rmSync(directory, {recursive: true, force: true});
  });

  const about = async (password = 'secret') => {
    const flags = {'warehouse.kind': 'server', 'clickhouse.url': server.front.url, 'clickhouse.user': 'assay', 'clickhouse.password': password, data: directory};
    const findings = await examine(loadConfig({flags, env: {}}), () => Promise.reject(new Error('nobody owns it')));
    return new Map(findings.map(finding => [finding.check, finding]));
  };

  test('the doctor sees that tables are missing, and that they are there', async () => {
    const before = await about();
    expect(before.get('clickhouse tables')).toMatchObject({status: 'warn', fix: expect.stringMatching(/assay migrate/)});
    expect(before.get('clickhouse version')).toMatchObject({status: 'ok'});
    expect(before.get('clocks')).toMatchObject({status: 'ok'});
    await migrate(connection, {migrations: loadMigrations(), clock: systemClock, holder: null});
    expect((await about()).get('clickhouse tables')).toMatchObject({status: 'ok', detail: `version ${loadMigrations().length}`});
  });

  test('a wrong password is one failure that does not show it', async () => {
    const finding = (await about('another-secret')).get('clickhouse');
    expect(finding).toMatchObject({status: 'fail'});
    expect(JSON.stringify(finding)).not.toContain('another-secret');
  });

  test('what is asked of the engine has an answer', async () => {
    const facts = await inspectEngine(connection);
    expect(facts).toMatchObject({isWritable: true, replicas: [], newestAppendMs: null});
    expect(facts.version).toMatch(/^\d+\.\d+/);
    expect(facts.disks.length).toBeGreaterThan(0);
    expect(facts.partsRefused).toBeGreaterThan(100);
  });

  test('an export from a server is a Parquet file here', async () => {
    const path = join(directory, 'numbers.parquet');
    await connection.saveParquet('SELECT number, toString(number) AS text FROM numbers(1000)', path, {output_format_parquet_compression_method: 'zstd'});
    const bytes = readFileSync(path);
    expect([bytes.subarray(0, 4).toString(), bytes.subarray(-4).toString()]).toEqual(['PAR1', 'PAR1']);
    const read = await connection.select(`SELECT toString(count()) AS rows, toString(sum(number)) AS total, max(text) AS last FROM file('${path}', 'Parquet')`);
    expect(read).toEqual([{rows: '1000', total: '499500', last: '999'}]);
  });
});
