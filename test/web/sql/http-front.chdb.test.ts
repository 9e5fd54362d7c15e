import {createClient} from '@clickhouse/client';
import {createReadStream, existsSync} from 'node:fs';
import {join} from 'node:path';
import {Readable} from 'node:stream';
import {gunzipSync, gzipSync, inflateSync} from 'node:zlib';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {ChdbExecutor} from '../../../src/warehouse/chdb/chdb-executor.ts';
import {compressedBlockDecoder, toCompressedBlocks} from '../../../src/web/sql/compressed-blocks.ts';
import {openSqlFront, type SqlFront} from '../../../src/web/sql/http-front.ts';
import {nativeFor} from '../../../src/web/sql/native-blocks.ts';
import {OpenPolicy} from '../../../src/web/sql/open-policy.ts';
import {ReadOnlyPolicy} from '../../../src/web/sql/read-only-policy.ts';
import {chdbSkipReason, openTemporaryEngine, type TemporaryEngine} from '../../helpers/chdb-engine.ts';

const skipReason = await chdbSkipReason();

describe.skipIf(skipReason !== null)(`the HTTP front${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let temporary: TemporaryEngine;
  let open: SqlFront;
  let readOnly: SqlFront;

  beforeAll(async () => {
    temporary = await openTemporaryEngine();
    const executor = new ChdbExecutor(temporary.engine);
    const common = {port: 0, engineVersion: '26.7.2.1'};
    open = await openSqlFront({...common, policy: new OpenPolicy(executor), spoolDirectory: join(temporary.directory, 'a')});
    const policy = new ReadOnlyPolicy({executor, accessOf: ({password}) => (password === 'key' ? 'views' : password === 'admin-key' ? 'tables' : null)});
    readOnly = await openSqlFront({...common, policy, spoolDirectory: join(temporary.directory, 'b')});
    await post(open, "CREATE VIEW v_numbers AS SELECT number, getSetting('log_comment') AS stream FROM numbers(1000)");
    await post(open, 'CREATE TABLE exposures (a UInt32, s String) ENGINE = MergeTree ORDER BY a');
  });
  afterAll(async () => {
    await open?.close();
    await readOnly?.close();
    await temporary?.remove();
  });

  test('answers ping without credentials', async () => {
    const answer = await fetch(`${readOnly.url}/ping`);
    expect([answer.status, await answer.text()]).toEqual([200, 'Ok.\n']);
  });

  test('the statement may be in the body, the URL, or both', async () => {
    expect(await (await post(open, 'SELECT 1 AS a FORMAT JSONEachRow')).text()).toBe('{"a":1}\n');
    expect(await (await fetch(`${open.url}/?query=${encodeURIComponent('SELECT 2')}`)).text()).toBe('2\n');
    expect(await (await fetch(`${open.url}/?query=SELECT%203&default_format=CSV&wait_end_of_query=1&session_id=x`)).text()).toBe('3\n');
  });

  test('says the format, the zone and the query id', async () => {
    const {headers} = await post(open, 'SELECT 1 FORMAT JSONCompact', '?query_id=mine');
    expect(headers.get('x-clickhouse-format')).toBe('JSONCompact');
    expect(headers.get('x-clickhouse-timezone')).toBe('UTC');
    expect(headers.get('x-clickhouse-query-id')).toBe('mine');
    expect(JSON.parse(headers.get('x-clickhouse-summary') ?? '')).toHaveProperty('read_rows');
  });

  test('exceptions carry code, status and text', async () => {
    const answer = await post(open, 'SELECT * FROM nowhere');
    expect(answer.status).toBe(404);
    expect(answer.headers.get('x-clickhouse-exception-code')).toBe('60');
    expect(await answer.text()).toMatch(/^Code: 60\. DB::Exception: .*UNKNOWN_TABLE/s);
    expect((await post(open, 'SELEC 1')).status).toBe(400);
  });

  test('parameters keep their types and their odd characters', async () => {
    const client = createClient({url: open.url});
    const text = "it's \\ \"x\" \n\t ü {a:String}";
    const result = await client.query({
      query: 'SELECT {s:String} AS s, {a:Array(String)} AS a, {n:Nullable(String)} AS n, {u:UInt8} AS u, {m:Map(String, UInt8)} AS m',
      query_params: {s: text, a: [text], n: null, u: 7, m: {k: 1}},
      format: 'JSONEachRow',
    });
    expect(await result.json()).toEqual([{s: text, a: [text], n: null, u: 7, m: {k: 1}}]);
    await client.close();
  });

  test('rows of any bytes go in, compressed or not', async () => {
    const body = Buffer.concat([Buffer.from([1, 0, 0, 0, 3, 0, 255, 10]), Buffer.from([2, 0, 0, 0, 0])]);
    const query = `?query=${encodeURIComponent('INSERT INTO exposures (a, s) FORMAT RowBinary')}`;
    expect((await fetch(`${open.url}/${query}`, {method: 'POST', body})).status).toBe(200);
    expect((await fetch(`${open.url}/${query}`, {method: 'POST', body: gzipSync(body), headers: {'content-encoding': 'gzip'}})).status).toBe(200);
    const client = createClient({url: open.url, compression: {request: true, response: true}});
    await client.insert({table: 'exposures', values: [{a: 9, s: 'x'}], format: 'JSONEachRow'});
    await client.close();
    expect(await (await post(open, 'SELECT a, hex(s), count() FROM exposures GROUP BY ALL ORDER BY a')).text()).toBe('1\t00FF0A\t2\n2\t\t2\n9\t78\t1\n');
    const truncated = await fetch(`${open.url}/${query}`, {method: 'POST', body: body.subarray(0, 5)});
    expect(truncated.headers.get('x-clickhouse-exception-code')).toBe('33');
  });

  test.each([['gzip', gunzipSync], ['deflate', inflateSync]] as const)('answers in %s', async (encoding, decode) => {
    const {request} = await import('node:http');
    const bytes = await new Promise<Buffer>(resolve => {
      const call = request(`${open.url}/?query=SELECT%20number%20FROM%20numbers(5000)`, {headers: {'accept-encoding': encoding}}, answer => {
        expect(answer.headers['content-encoding']).toBe(encoding);
        const chunks: Buffer[] = [];
        answer.on('data', chunk => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)));
      });
      call.end();
    });
    expect(decode(bytes).toString().split('\n')).toHaveLength(5001);
  });

  test('takes and gives zstd where its package is', async context => {
    const codec = await import('@mongodb-js/zstd').catch(() => null);
    if (codec === null) return context.skip('the optional package @mongodb-js/zstd is not installed');
    const sql = await codec.compress(Buffer.from('SELECT number FROM numbers(5000)'));
    const {request} = await import('node:http');
    const bytes = await new Promise<Buffer>(resolve => {
      const call = request(open.url, {method: 'POST', headers: {'content-encoding': 'zstd', 'accept-encoding': 'zstd'}}, answer => {
        expect(answer.headers['content-encoding']).toBe('zstd');
        const chunks: Buffer[] = [];
        answer.on('data', chunk => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)));
      });
      call.end(sql);
    });
    expect((await codec.decompress(bytes)).toString().split('\n')).toHaveLength(5001);
  });

  test('compress=1 and decompress=1: the engine’s own blocks, in answers, errors and bodies', async () => {
    const unpacked = async (bytes: Uint8Array): Promise<string> => (await collect(Readable.from([Buffer.from(bytes)]).pipe(compressedBlockDecoder()))).toString();
    const answer = await post(readOnly, 'SELECT number FROM numbers(100000)', '?password=key&compress=1');
    expect([answer.status, answer.headers.get('content-encoding')]).toEqual([200, null]);
    expect((await unpacked(new Uint8Array(await answer.arrayBuffer()))).split('\n')).toHaveLength(100_001);
    // What the Go driver sends along.
    for (const method of ['LZ4', 'ZSTD', 'NONE', 'zstd']) {
      const asked = await post(readOnly, 'SELECT 7', `?password=key&compress=1&network_compression_method=${method}&network_zstd_compression_level=1`);
      expect([asked.status, await unpacked(new Uint8Array(await asked.arrayBuffer()))]).toEqual([200, '7\n']);
    }
    const refused = await post(readOnly, 'SELECT * FROM exposures', '?password=key&compress=1');
    expect([refused.status, await unpacked(new Uint8Array(await refused.arrayBuffer()))]).toEqual([403, expect.stringContaining('ASSAY_QUERY_REFUSED')]);
    const body = await toCompressedBlocks(Buffer.from('SELECT 40 + 2'));
    expect(await (await fetch(`${readOnly.url}/?password=key&decompress=1`, {method: 'POST', body})).text()).toBe('42\n');
    const broken = await fetch(`${readOnly.url}/?password=key&decompress=1`, {method: 'POST', body: body.map((byte, index) => (index === 30 ? byte ^ 1 : byte))});
    expect([broken.status, broken.headers.get('x-clickhouse-exception-code')]).toEqual([400, '40']);
    const rows = await toCompressedBlocks(Buffer.from('71\tpacked\n72\trows\n'));
    const query = encodeURIComponent('INSERT INTO exposures (a, s) FORMAT TabSeparated');
    expect((await fetch(`${open.url}/?query=${query}&decompress=1`, {method: 'POST', body: rows})).status).toBe(200);
    expect(await (await post(open, 'SELECT s FROM exposures WHERE a IN (71, 72) ORDER BY a')).text()).toBe('packed\nrows\n');
  });

  test('blocks of every codec that the engine writes to its own files are read', async () => {
    for (const codec of ['NONE', 'LZ4', 'ZSTD']) {
      const table = `packed_${codec}`;
      await post(open, `CREATE TABLE ${table} (k UInt64 CODEC(${codec})) ENGINE = MergeTree ORDER BY tuple() SETTINGS min_bytes_for_wide_part = 0`);
      await post(open, `INSERT INTO ${table} SELECT intDiv(number, 7) FROM numbers(50000)`);
      const path = (await (await post(open, `SELECT path FROM system.parts WHERE table = '${table}' AND active`)).text()).trim();
      const values: bigint[] = [];
      const bytes = await collect(createReadStream(join(path, 'k.bin')).pipe(compressedBlockDecoder()));
      for (let at = 0; at < bytes.length; at += 8) values.push(bytes.readBigUInt64LE(at));
      expect(values).toEqual(Array.from({length: 50_000}, (_, index) => BigInt(Math.floor(index / 7))));
    }
  });

  test('a body that is not what it says is the client’s mistake', async () => {
    for (const encoding of ['gzip', 'deflate', 'br', 'zstd']) {
      const answer = await fetch(`${readOnly.url}/?password=key`, {method: 'POST', body: 'SELECT 1', headers: {'content-encoding': encoding}});
      expect([encoding, answer.status]).toEqual([encoding, 400]);
    }
  });

  test('an address that cannot be read is answered, and the next request as well', async () => {
    const {connect} = await import('node:net');
    for (const line of ['GET http:// HTTP/1.1', 'GET http://[ HTTP/1.1', 'GET //[/?query=SELECT%201 HTTP/1.1', 'GET //x:y@z HTTP/1.1']) {
      const said = await new Promise<string>((resolve, reject) => {
        const socket = connect(readOnly.port, '127.0.0.1', () => socket.write(`${line}\r\nHost: localhost\r\nConnection: close\r\n\r\n`));
        let text = '';
        socket.on('data', chunk => (text += chunk.toString())).on('end', () => resolve(text)).on('error', reject);
      });
      expect(said).toMatch(/^HTTP\/1\.1 40[034] /);
    }
    expect((await fetch(`${readOnly.url}/ping`)).status).toBe(200);
  });

  test('an analyst\'s client reads the views', async () => {
    const client = createClient({url: readOnly.url, password: 'key', clickhouse_settings: {max_execution_time: 10, output_format_json_quote_64bit_integers: 1}});
    const result = await client.query({query: 'SELECT max(number) AS top FROM v_numbers', format: 'JSONEachRow'});
    expect(await result.json()).toEqual([{top: '999'}]);
    await client.close();
  });

  test('the stream of a statement is that statement\'s own', async () => {
    const sql = 'SELECT any(stream) FROM v_numbers';
    expect(await (await post(readOnly, sql, '?password=key&stream=import-1')).text()).toBe('stream=import-1\n');
    expect(await (await post(readOnly, sql, '?password=key')).text()).toBe('\n');
  });

  test('Native of the Go driver’s protocol: what Grafana’s plugin asks and sends', async () => {
    const query = '?default_format=Native&client_protocol_version=54460&database=default&max_execution_time=60&wait_end_of_query=1&max_result_bytes=1000000';
    const ask = async (sql: string, search = query): Promise<Buffer> => {
      const answer = await fetch(`${readOnly.url}/${search}`, {method: 'POST', body: sql, headers: {authorization: `Basic ${Buffer.from('grafana:key').toString('base64')}`, 'accept-encoding': 'gzip'}});
      expect([answer.status, answer.headers.get('x-clickhouse-format')]).toEqual([200, 'Native']);
      return Buffer.from(await answer.arrayBuffer());
    };
    // info, one column, one row, "1" UInt8, no custom serialization, 1
    expect([...(await ask('SELECT 1'))]).toEqual([1, 0, 2, 255, 255, 255, 255, 0, 1, 1, 1, 0x31, 5, ...Buffer.from('UInt8'), 0, 1]);
    for (const hello of ['SELECT displayName(), version(), revision(), timezone()', 'SELECT name FROM system.databases', "SELECT name, type FROM system.columns WHERE table = 'v_numbers'"]) expect((await ask(hello)).length).toBeGreaterThan(10);
    const types = [
      'number', 'toString(number)', 'toLowCardinality(toString(number % 3))', "[toLowCardinality(toString(number)), 'x']", "tuple(number, 'a', toNullable(3))", "map('k', number)", "map(toLowCardinality('k'), [number])",
      "toDateTime64(1.5, 3, 'UTC')", 'toDecimal128(1.25, 2)', "toNullable(toLowCardinality('q'))", "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')", "CAST('a, (b', 'Enum8(\\'a, (b\\' = 1)')", "CAST((1, 'z'), 'Tuple(`a b` UInt8, s String)')", 'emptyArrayString()',
      "toFixedString('abc', 5)", "toIPv6('::1')", 'toInt256(7)', 'toDate32(3)', 'NULL', '[[1], []]', 'toIntervalDay(1)', "if(number % 2 = 0, NULL, 'even')", '[tuple(toLowCardinality(toNullable(toString(number))), 1)]',
    ];
    const sql = `SELECT ${types.map((type, index) => `${type} AS c${index}`).join(', ')} FROM numbers(200000) WHERE number % 40000 < 3`;
    const asked = query.replace('client_protocol_version=54460', 'client_protocol_version=0');
    const [plain, versioned] = [await ask(sql, asked), await ask(sql)];
    expect(Buffer.from(nativeFor(54_460, plain)).equals(versioned)).toBe(true);
    expect((versioned.length - plain.length) % (8 + types.length)).toBe(0);
    expect(versioned.length).toBeGreaterThan(plain.length);
    const states = await fetch(`${readOnly.url}/${query}`, {method: 'POST', body: 'SELECT uniqState(number) FROM numbers(3)', headers: {'x-clickhouse-key': 'key'}});
    expect([states.status, await states.text()]).toEqual([501, expect.stringContaining('convert it')]);
  });

  test('a client that looks first may send the settings that this endpoint takes', async () => {
    const rows = async (sql: string): Promise<unknown> => (await (await post(readOnly, `${sql} FORMAT JSONCompactColumns`, '?password=key')).json()) as unknown;
    const names = ['max_execution_time', 'max_result_rows', 'output_format_json_quote_64bit_integers', 'join_use_nulls', 'max_threads'];
    const wanted = `name IN ('${names.join("', '")}', 'readonly', 'max_insert_threads', 'format_schema_source')`;
    expect(await rows(`SELECT name FROM system.settings WHERE ${wanted} AND readonly = 0 ORDER BY name`)).toEqual([[...names].sort()]);
    expect(await rows(`SELECT count() FROM system.settings AS s WHERE s.readonly = 0 AND s.name = 'max_threads'`)).toEqual([[1]]);
    expect(await rows(`SELECT count() FROM system.settings s, system.one LIMIT 1`)).not.toEqual([[0]]);
    expect(await rows(`SELECT settings.readonly FROM system.settings WHERE name = 'max_threads'`)).toEqual([[0]]);
    expect((await post(readOnly, 'SELECT 1', '?password=key&max_threads=2&max_execution_time=5')).status).toBe(200);
  });

  test('without the key nothing is answered', async () => {
    const answer = await post(readOnly, 'SELECT 1');
    expect([answer.status, answer.headers.get('x-clickhouse-exception-code')]).toEqual([403, '516']);
  });

  const outfile = (): string => join(temporary.directory, 'out.csv');
  test('a refused statement leaves nothing behind', async () => {
    const attacks = [
      `SELECT 1 INTO OUTFILE '${outfile()}'`,
      `SELECT 1) INTO OUTFILE '${outfile()}' FORMAT CSV; SELECT * FROM (SELECT 1`,
      'INSERT INTO exposures (a, s) SELECT 1, 2',
      'SELECT * FROM exposures',
      "SELECT * FROM file('/etc/passwd', LineAsString)",
      'SELECT 1 SETTINGS readonly = 0',
      'KILL QUERY WHERE 1',
    ];
    for (const sql of attacks) {
      const answer = await post(readOnly, sql, '?password=key');
      expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('ASSAY_QUERY_REFUSED')]);
    }
    expect((await post(readOnly, 'SELECT 1', '?password=key&max_memory_usage=0&allow_ddl=1')).status).toBe(403);
    expect(existsSync(outfile())).toBe(false);
  });

  test('limits hold however high the client asks', async () => {
    const slow = await post(readOnly, 'SELECT count() FROM numbers(1000000000000) WHERE number % 3 = 1', '?password=key&max_execution_time=0.3');
    expect(slow.headers.get('x-clickhouse-exception-code')).toBe('159');
    const large = await post(readOnly, 'SELECT number FROM numbers(200000)', '?password=key&max_result_rows=0');
    expect(large.headers.get('x-clickhouse-exception-code')).toBe('396');
  });
});

const post = (front: SqlFront, sql: string, search = ''): Promise<Response> => fetch(`${front.url}/${search}`, {method: 'POST', body: sql});

async function collect(parts: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of parts) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
