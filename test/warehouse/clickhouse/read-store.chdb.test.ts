import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {epochMs} from '../../../src/core/units.ts';
import {connectionsOf} from '../../../src/warehouse/chdb/chdb-connections.ts';
import {openServerConnections} from '../../../src/warehouse/server/server-connections.ts';
import type {Warehouse} from '../../../src/warehouse/warehouse.ts';
import {chdbSkipReason, openTemporaryEngine} from '../../helpers/chdb-engine.ts';
import {storageOf} from '../../helpers/clickhouse-storage.ts';
import {openServerUnderTest} from '../../helpers/clickhouse-server.ts';
import {outcomeFact, START} from '../../helpers/storage-fixtures.ts';

const skipReason = await chdbSkipReason();
type Opened = {readonly warehouse: Warehouse; readonly viewer: Warehouse; remove(): Promise<void>};

async function openEmbedded(): Promise<Opened> {
  const temporary = await openTemporaryEngine();
  const connections = await connectionsOf(temporary.engine, () => Promise.resolve());
  return {warehouse: storageOf(connections), viewer: storageOf(connections, {access: 'views'}), remove: temporary.remove};
}

async function openOverHttp(): Promise<Opened> {
  const server = await openServerUnderTest();
  const connections = openServerConnections({url: server.front.url});
  return {
    warehouse: storageOf(connections, {holder: 'h'}),
    viewer: storageOf(connections, {access: 'views'}),
    remove: async () => {
      await connections.close();
      await server.remove();
    },
  };
}

describe.skipIf(skipReason !== null).each([
  ['embedded', openEmbedded],
  ['over HTTP', openOverHttp],
] as const)(`reading, %s${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, (_name, open) => {
  let opened: Opened;
  let warehouse: Warehouse;

  beforeAll(async () => {
    opened = await open();
    warehouse = opened.warehouse;
    await warehouse.migrate();
    for (const [stream, count] of [['a', 2], ['b', 3]] as const) {
      const outcomes = Array.from({length: count}, (_, serial) => outcomeFact({serial, offset: serial}));
      await warehouse.insertFacts({stream, exposures: [], outcomes, deadLetters: [], arrivals: []});
    }
  });
  afterAll(() => opened?.remove());

  test('a query gives rows, with its parameters as values', async () => {
    const rows = await warehouse.query('SELECT {x:String} AS x, arraySum({list:Array(UInt8)}) AS sum', {parameters: {x: "'; DROP", list: [1, 2]}});
    expect(rows).toEqual([{x: "'; DROP", sum: 3}]);
  });

  test('integers are numbers; those that a double cannot hold are text, and so is text that looks like one', async () => {
    const sql = "SELECT toUInt64(42) AS small, toUInt64('18446744073709551615') AS big, toInt256('-12345678901234567890123') AS huge, '1234567890123456789' AS text, [toUInt64('9007199254740993')] AS list, 0.1 AS half, 'a\"12345678901234567' AS quoted, map('12345678901234567', 3) AS map";
    const rows = await warehouse.query(sql);
    expect(rows).toEqual([
      {small: 42, big: '18446744073709551615', huge: '-12345678901234567890123', text: '1234567890123456789', list: ['9007199254740993'], half: 0.1, quoted: 'a"12345678901234567', map: {'12345678901234567': 3}},
    ]);
  });

  test('the owner reads tables, a viewer only views', async () => {
    const sql = 'SELECT count() AS n FROM outcomes';
    expect(await warehouse.query(sql)).toEqual([{n: 5}]);
    await expect(opened.viewer.query(sql)).rejects.toMatchObject({code: 'ASSAY_QUERY_REFUSED', message: expect.stringContaining('outcomes')});
    expect(await opened.viewer.query('SELECT count() AS n FROM v_ledger_all')).toHaveLength(1);
  });

  test('what the engine does not understand is the user\'s mistake, not the end of the process', async () => {
    await expect(warehouse.query('SELECT nothing FROM outcomes')).rejects.toMatchObject({code: 'ASSAY_QUERY_REFUSED', kind: 'input', message: expect.stringContaining('nothing')});
    await expect(warehouse.query('SELECT {x:UInt8}')).rejects.toMatchObject({code: 'ASSAY_QUERY_REFUSED', message: expect.stringContaining('x')});
  });

  test('rows, time and memory are bounded', async () => {
    await expect(warehouse.query('SELECT number FROM numbers(11)', {rowsMax: 10})).rejects.toMatchObject({code: 'ASSAY_QUERY_REFUSED', message: expect.stringContaining('fewer rows')});
    await expect(warehouse.query('SELECT count() FROM numbers(1000000000000) WHERE number % 3 = 1', {secondsMax: 0.3})).rejects.toMatchObject({code: 'ASSAY_QUERY_REFUSED'});
    await expect(warehouse.query('SELECT groupArray(number) FROM numbers(200000000)')).rejects.toMatchObject({code: 'ASSAY_QUERY_REFUSED', message: expect.stringMatching(/memory/i)});
  });

  test('the stream is what v_x mean in this statement, and only in this one', async () => {
    const note = async (stream?: string) => (await warehouse.query("SELECT getSetting('log_comment') AS note", stream === undefined ? {} : {stream}))[0]?.['note'];
    expect(await Promise.all([note('a'), note(), note('b')])).toEqual(['stream=a', '', 'stream=b']);
  });

  test('a slow query of a user does not hold up the worker', async () => {
    let isDone = false;
    const slow = warehouse.query('SELECT count() FROM numbers(1000000000000) WHERE number % 3 = 1', {secondsMax: 2}).catch(() => undefined).then(() => (isDone = true));
    await warehouse.writtenThrough('a', 1, 0);
    expect(isDone).toBe(false);
    await slow;
  });

  test('windows of an experiment nobody ran are none', async () => {
    const request = {stream: 'a', experiment: 'none', sizeMs: 60_000, slideMs: 10_000, from: epochMs(START), to: epochMs(START + 60_000)};
    expect(await warehouse.windows(request)).toEqual([]);
  });

  test('provisional slices show up as windows, the highest position of each partition once', async () => {
    await warehouse.mirrorStream({name: 'w', kind: 'simulation', topic: 't', latenessMs: 2_000 as never, sliceMs: 10_000 as never, maxAgeMs: null, partitions: 2});
    const slice = {
      experiment: 'e', phase: 1, variant: 'v1', metric: 'm', dimension: '', dimensionValue: '', sliceStart: epochMs(START), partition: 0, logEpoch: 1,
      lastOffset: 1n, n: 2, sum: 3, m2: 0.5, min: 1, max: 2, denominatorSum: 0, extraWeight: 0, extraSum: 0, extraDenominatorSum: 0, histogram: new Map([[1047, 1], [1082, 1]]),
    };
    await warehouse.insertProvisional('w', [slice]);
    await warehouse.insertProvisional('w', [{...slice, lastOffset: 2n, n: 3, sum: 5}, {...slice, partition: 1}]);
    await warehouse.insertProvisional('w', [slice, {...slice, dimension: 'region', dimensionValue: 'eu'}]);
    const windows = await warehouse.windows({stream: 'w', experiment: 'e', sizeMs: 20_000, slideMs: 10_000, from: epochMs(START), to: epochMs(START + 20_000)});
    expect(windows).toMatchObject([
      {stream: 'w', experiment: 'e', window_start: START - 10_000, window_end: START + 10_000, n: 5, sum: 8, min: 1, max: 2, status: 'provisional'},
      {window_start: START, window_end: START + 20_000, n: 5},
    ]);
  });
});
