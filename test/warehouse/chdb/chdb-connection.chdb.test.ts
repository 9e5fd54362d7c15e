import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {sqlTuple} from '../../../src/warehouse/clickhouse/connection.ts';
import type {SqlConnection} from '../../../src/warehouse/clickhouse/connection.ts';
import {RowBinaryWriter} from '../../../src/warehouse/clickhouse/row-binary.ts';
import {chdbSkipReason, openTemporaryEngine, type TemporaryEngine} from '../../helpers/chdb-engine.ts';

const skipReason = await chdbSkipReason();

describe.skipIf(skipReason !== null)(`the embedded engine's connection${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let temporary: TemporaryEngine;
  let connection: SqlConnection;

  beforeAll(async () => {
    temporary = await openTemporaryEngine();
    connection = await temporary.engine.openConnection();
  });
  afterAll(() => temporary.remove());

  test('wide integers come as strings, with every digit', async () => {
    const rows = await connection.select(
      'SELECT {a:UInt64} AS a, {b:UInt128} AS b, {c:Int256} AS c, {d:UInt32} AS d',
      {a: 2n ** 64n - 1n, b: 2n ** 128n - 1n, c: -(2n ** 255n), d: 7},
    );
    expect(rows).toEqual([{a: String(2n ** 64n - 1n), b: String(2n ** 128n - 1n), c: String(-(2n ** 255n)), d: 7}]);
  });

  test('parameters of every shape arrive as they are', async () => {
    const text = 'it\'s \\ "x"\n\t\0 ü 你 {a:String} -- /*';
    const rows = await connection.select(
      `SELECT {s:String} AS s, {a:Array(String)} AS a, {t:Tuple(UInt16, String)} AS t, {m:Map(String, UInt64)} AS m,
         {n:Nullable(String)} AS n, {ts:Array(Tuple(UInt16, UInt64))} AS ts, {e:Array(UInt8)} AS e, {f:Float64} AS f, '{s:String}' AS literal`,
      {s: text, a: [text, ''], t: sqlTuple(1, text), m: new Map([['k', 5n]]), n: null, ts: [sqlTuple(1, 2n)], e: [], f: 0.1},
    );
    expect(rows).toEqual([
      {s: text, a: [text, ''], t: [1, text], m: {k: '5'}, n: null, ts: [[1, '2']], e: [], f: 0.1, literal: '{s:String}'},
    ]);
  });

  test('nan and inf are told apart', async () => {
    expect(await connection.select('SELECT nan AS a, -inf AS b, {c:Float64} AS c', {c: Number.NaN})).toEqual([
      {a: 'nan', b: '-inf', c: 'nan'},
    ]);
  });

  test("a statement's settings are gone after it", async () => {
    const sql = "SELECT getSetting('log_comment') AS comment";
    expect(await connection.select(sql, {}, {log_comment: "it's"})).toEqual([{comment: "it's"}]);
    expect(await connection.select(sql)).toEqual([{comment: ''}]);
  });

  test('one connection answers in order, the event loop turns meanwhile', async () => {
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 5);
    const order: number[] = [];
    await Promise.all([
      connection.select('SELECT sleep(0.3) AS x').then(() => order.push(1)),
      connection.select('SELECT 1 AS x').then(() => order.push(2)),
    ]);
    clearInterval(timer);
    expect(order).toEqual([1, 2]);
    expect(turns).toBeGreaterThan(20);
  });

  test('a slow query on one connection does not hold up another', async () => {
    const other = await temporary.engine.openConnection();
    let isSlowDone = false;
    const slow = connection.select('SELECT sleep(1) AS x').then(() => (isSlowDone = true));
    await other.select('SELECT {x:UInt8} AS x', {x: 1});
    expect(isSlowDone).toBe(false);
    await slow;
    await other.close();
  });

  test('RowBinary of every type the tables use is read back as it was', async () => {
    await connection.command(`CREATE TABLE kinds (
      s String, f FixedString(3), n Nullable(String), l LowCardinality(String), m Map(LowCardinality(String), Float64),
      a Array(Tuple(x UInt16, y UInt64)), u8 UInt8, u16 UInt16, i16 Int16, u32 UInt32, u64 UInt64, u128 UInt128, i256 Int256,
      d Float64, b Bool, t DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY s`);
    const long = 'ü'.repeat(100);
    const writer = new RowBinaryWriter(16);
    for (const [s, ms] of [['ascii', 1_700_000_000_123], [long, -1]] as const) {
      writer.dateTime64(ms);
      writer.string(s);
      writer.fixed(Uint8Array.of(0, 255, 10), 3);
      writer.nullableString(s === long ? null : 'x');
      writer.string('low');
      writer.record({k: 0.5, z: -0}, value => writer.float64(value));
      writer.array([[1, 2n ** 63n]] as const, ([x, y]) => {
        writer.uint16(x);
        writer.uint64(y);
      });
      writer.uint8(255);
      writer.uint16(65_535);
      writer.int16(-32_768);
      writer.uint32(4_294_967_295);
      writer.uint64(2n ** 64n - 1n);
      writer.uint128(2n ** 127n + 5n);
      writer.int256(-(2n ** 200n) - 3n);
      writer.float64(Math.PI);
      writer.bool(true);
    }
    const columns = ['t', 's', 'f', 'n', 'l', 'm', 'a', 'u8', 'u16', 'i16', 'u32', 'u64', 'u128', 'i256', 'd', 'b'];
    await connection.insertRowBinary('kinds', columns, writer.bytes(), 2);
    const rows = await connection.select<Record<string, unknown>>('SELECT * REPLACE (hex(f) AS f), toUnixTimestamp64Milli(t) AS ms FROM kinds ORDER BY ms DESC');
    expect(rows[0]).toEqual({
      s: 'ascii', f: '00FF0A', n: 'x', l: 'low', m: {k: 0.5, z: -0}, a: [{x: 1, y: String(2n ** 63n)}], u8: 255, u16: 65_535, i16: -32_768,
      u32: 4_294_967_295, u64: String(2n ** 64n - 1n), u128: String(2n ** 127n + 5n), i256: String(-(2n ** 200n) - 3n), d: Math.PI, b: true,
      t: '2023-11-14 22:13:20.123', ms: '1700000000123',
    });
    expect(rows[1]).toMatchObject({s: long, n: null, ms: '-1'});
  });

  test('what the engine refuses is fatal, and names the directory', async () => {
    await expect(connection.select('SELECT * FROM nowhere')).rejects.toMatchObject({
      code: 'ASSAY_SINK_REJECTED',
      message: expect.stringContaining('warehouse'),
    });
    await connection.command('CREATE TABLE narrow (s String) ENGINE = MergeTree ORDER BY s');
    await expect(connection.insertRowBinary('narrow', ['s'], Uint8Array.of(9, 65), 1)).rejects.toMatchObject({code: 'ASSAY_SINK_REJECTED'});
  });
});
