import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {ServerSqlConnection, type ServerOptions} from '../../../src/warehouse/server/server-connection.ts';
import type {FrontFault} from '../../../src/web/sql/front-policy.ts';
import {chdbSkipReason} from '../../helpers/chdb-engine.ts';
import {openServerUnderTest, type ServerUnderTest} from '../../helpers/clickhouse-server.ts';
import {freePort} from '../../helpers/free-port.ts';

const skipReason = await chdbSkipReason();

describe.skipIf(skipReason !== null)(`a server that misbehaves${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let server: ServerUnderTest;
  const certificates = makeCertificate();
  const open = (given: Partial<ServerOptions> = {}): ServerSqlConnection =>
    new ServerSqlConnection({url: server.front.url, user: 'assay', password: 'p', requestTimeoutMs: 5_000, ...given});

  beforeAll(async () => {
    server = await openServerUnderTest({user: 'assay', password: 'p', tls: certificates});
    const connection = open({caCert: Buffer.from(certificates.cert)});
    await connection.command('CREATE TABLE kept (s String) ENGINE = ReplacingMergeTree ORDER BY s');
    await connection.close();
  });
  afterAll(() => server?.remove());

  const trusted = (given: Partial<ServerOptions> = {}): ServerSqlConnection => open({caCert: Buffer.from(certificates.cert), ...given});
  const insert = (connection: ServerSqlConnection, text: string): Promise<void> =>
    connection.insertRowBinary('kept', ['s'], Buffer.from(`\x01${text}`), 1);
  const stored = async (): Promise<string[]> => {
    const connection = trusted();
    const rows = await connection.select<{s: string}>('SELECT s FROM kept FINAL ORDER BY s');
    await connection.close();
    return rows.map(({s}) => s);
  };

  const temporary: readonly (readonly [string, FrontFault, RegExp])[] = [
    ['a cut connection', {kind: 'refuse'}, /cannot reach ClickHouse at 127\.0\.0\.1:\d+/],
    ['a proxy\'s 502', {kind: 'status', status: 502, body: '<html>Bad Gateway</html>'}, /127\.0\.0\.1/],
    ['a bare 500', {kind: 'status', status: 500, body: ''}, /127\.0\.0\.1/],
    ['too many parts', {kind: 'exception', engineCode: 252, message: 'Too many parts (300). Merges are processing significantly slower than inserts'}, /Too many parts.*merged/],
    ['no memory', {kind: 'exception', engineCode: 241, message: 'Memory limit (total) exceeded'}, /more memory/],
    ['too many queries', {kind: 'exception', engineCode: 202, message: 'Too many simultaneous queries'}, /simultaneous/],
  ];
  test.each(temporary)('%s is worth another try, which succeeds', async (_name, fault, message) => {
    const connection = trusted();
    server.policy.plan({fault, count: 1, match: 'INSERT'});
    await expect(insert(connection, 'a')).rejects.toMatchObject({code: 'ASSAY_SINK_UNAVAILABLE', kind: 'retry', message: expect.stringMatching(message)});
    await insert(connection, 'a');
    await connection.close();
  });

  test('an answer that is lost after the rows are in: the second try changes nothing', async () => {
    const connection = trusted();
    server.policy.plan({fault: {kind: 'lost-answer'}, count: 1, match: 'INSERT'});
    await expect(insert(connection, 'l')).rejects.toMatchObject({code: 'ASSAY_SINK_UNAVAILABLE'});
    expect(await stored()).toContain('l');
    await insert(connection, 'l');
    expect((await stored()).filter(s => s === 'l')).toHaveLength(1);
    await connection.close();
  });

  test('a server that hangs is given up after the time-out', async () => {
    const connection = trusted({requestTimeoutMs: 300});
    server.policy.plan({fault: {kind: 'hang'}, count: 1});
    await expect(connection.select('SELECT 1')).rejects.toMatchObject({code: 'ASSAY_SINK_UNAVAILABLE', message: expect.stringMatching(/timeout/i)});
    await connection.close();
  });

  test('wrong rows and wrong queries are fatal', async () => {
    const connection = trusted();
    await expect(connection.insertRowBinary('kept', ['s'], Uint8Array.of(9, 65), 1)).rejects.toMatchObject({code: 'ASSAY_SINK_REJECTED', kind: 'fatal'});
    await expect(connection.insertRowBinary('kept', ['x'], Uint8Array.of(1, 65), 1)).rejects.toMatchObject({code: 'ASSAY_SINK_REJECTED'});
    await expect(connection.select('SELECT * FROM nowhere')).rejects.toMatchObject({code: 'ASSAY_SINK_REJECTED', message: expect.stringMatching(/nowhere.*UNKNOWN_TABLE/)});
    await connection.close();
  });

  test('a wrong password says so, without showing it', async () => {
    const connection = trusted({password: 'wrong-secret'});
    const error: Error = await connection.select('SELECT 1').then(() => expect.fail('was let in'), (failure: Error) => failure);
    expect(error).toMatchObject({code: 'ASSAY_SINK_UNAVAILABLE', message: expect.stringMatching(/check the user and password/)});
    expect(error.message).not.toContain('wrong-secret');
    await connection.close();
  });

  test('a certificate of an unknown authority is refused', async () => {
    const connection = open();
    await expect(connection.select('SELECT 1')).rejects.toMatchObject({code: 'ASSAY_SINK_UNAVAILABLE', message: expect.stringMatching(/certificate/)});
    await connection.close();
  });

  test('nobody listening is told as such', async () => {
    const port = await freePort();
    const connection = new ServerSqlConnection({url: `http://127.0.0.1:${port}`});
    await expect(connection.select('SELECT 1')).rejects.toMatchObject({
      code: 'ASSAY_SINK_UNAVAILABLE',
      message: expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${port}.*ECONNREFUSED.*check that the server runs`)),
    });
    await connection.close();
  });

  test('an address that is no URL is a mistake of the configuration', () => {
    expect(() => new ServerSqlConnection({url: 'clickhouse:8123:x'})).toThrow(expect.objectContaining({code: 'ASSAY_CONFIG_INVALID'}));
  });

  test('settings hold for one statement', async () => {
    const connection = trusted();
    const sql = "SELECT getSetting('log_comment') AS comment, toUInt64(1) AS wide";
    expect(await connection.select(sql, {}, {log_comment: 'stream=x'})).toEqual([{comment: 'stream=x', wide: '1'}]);
    expect(await connection.select(sql)).toEqual([{comment: '', wide: '1'}]);
    await connection.close();
  });
});

/** A certificate for 127.0.0.1 from the openssl that comes with the machine. */
function makeCertificate(): {cert: string; key: string} {
  const directory = mkdtempSync(join(tmpdir(), 'assay-tls-'));
  try {
    const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject], {stdio: 'ignore'});
    return {cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8')};
  } finally {
    rmSync(directory, {recursive: true, force: true});
  }
}
