import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {checkEvent} from '../../../src/avro/check-event.ts';
import {decodeRecord, encodeExposure, encodeOutcome, encodeTick, glanceAt, locateCells, projectOutcome} from '../../../src/avro/released.ts';
import {epochMs} from '../../../src/core/units.ts';
import {connectionsOf} from '../../../src/warehouse/chdb/chdb-connections.ts';
import {loadMigrations, migrate} from '../../../src/warehouse/clickhouse/migrations.ts';
import {nativeBlock} from '../../../src/warehouse/clickhouse/native-column.ts';
import {DictionaryColumn} from '../../../src/warehouse/clickhouse/native-dictionary.ts';
import {decodeBatch} from '../../../src/worker/decode-batch.ts';
import {startCursor} from '../../../src/worker/partition-cursor.ts';
import {PendingRows} from '../../../src/worker/pending-rows.ts';
import {openRecordHasher} from '../../../src/worker/record-hasher.ts';
import {chdbSkipReason, openTemporaryEngine, type TemporaryEngine} from '../../helpers/chdb-engine.ts';
import {storageOf, systemClock} from '../../helpers/clickhouse-storage.ts';
import {exposureFact, outcomeFact, START} from '../../helpers/storage-fixtures.ts';

const skipReason = await chdbSkipReason();
const CODEC = {decode: decodeRecord, check: checkEvent, glance: glanceAt, project: projectOutcome, locate: locateCells, encodeTick};

describe.skipIf(skipReason !== null)(`Native blocks of facts${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let temporary: TemporaryEngine;
  let connections: Awaited<ReturnType<typeof connectionsOf>>;

  beforeAll(async () => {
    temporary = await openTemporaryEngine();
    connections = await connectionsOf(temporary.engine, () => Promise.resolve());
  });
  afterAll(() => temporary.remove());

  test('facts from before the keys of maps became text are read as they were', async () => {
    const {closing} = connections;
    const upTo = (version: number) => loadMigrations().filter(migration => migration.version <= version);
    await migrate(closing, {migrations: upTo(7), clock: systemClock, holder: null});
    await closing.command("INSERT INTO outcomes (stream, unit_id, variant_hint, measures, attributes) SELECT 'old', toString(number), map('e', 'v'), map('score', 0.5, 'x', number), map('region', 'eu') FROM numbers(3)");
    await storageOf(connections).migrate();
    const rows = await closing.select("SELECT unit_id, variant_hint, measures, attributes, toTypeName(measures) AS type FROM outcomes WHERE stream = 'old' ORDER BY unit_id");
    const row = (unit_id: number): object => ({unit_id: String(unit_id), variant_hint: {e: 'v'}, measures: {score: 0.5, x: unit_id}, attributes: {region: 'eu'}, type: 'Map(String, Float64)'});
    expect(rows).toEqual([row(0), row(1), row(2)]);
  });

  test('what a worker hands over as cells and columns is stored as it would be from objects', async () => {
    const storage = storageOf(connections);
    const hasher = await openRecordHasher();
    const at = {logEpoch: 2, partition: 300, startOffset: 2n ** 33n};
    const values = [
      encodeExposure(exposureFact({serial: 1, offset: 0}, {sessionId: 'ü', itemId: '', attributes: {region: 'eu'}})),
      encodeOutcome(outcomeFact({serial: 2, offset: 0}, {variantHint: {'answer-model': 'v1', 你: 'b'}, measures: {a: -0, b: 1e14, c: 0.1}, status: 'timeout'})),
      encodeOutcome(outcomeFact({serial: 3, offset: 0}, {itemId: 'x'.repeat(200), measures: {}, attributes: {}, sampleRate: 0.25})),
      encodeTick({kind: 'tick', sentTs: epochMs(START), owner: 'x'}),
      Uint8Array.of(1, 2, 3),
      encodeExposure(exposureFact({serial: 4, offset: 0}, {reason: 'fallback', phase: 2 ** 31 - 1})),
    ];
    const records = values.map((value, index) => ({partition: 300, offset: at.startOffset + BigInt(index), timestamp: epochMs(START + index), key: 'u', value, headers: {}}));
    const rows = new PendingRows(at, {codec: CODEC, hasher});
    decodeBatch(startCursor(at, null), records, {codec: CODEC, hasher, maxAgeMs: null, rows});
    expect([rows.countOf('exposure'), rows.countOf('outcome'), rows.deadLetters.length]).toEqual([2, 2, 1]);
    const {exposures, outcomes, deadLetters, arrivals} = rows;
    await storage.insertFacts({stream: 'cells', exposures, outcomes, deadLetters, arrivals});
    await storage.insertFacts({stream: 'objects', exposures: [...exposures], outcomes: [...outcomes], deadLetters, arrivals: [...arrivals]});
    for (const [table, count] of [['exposures', 2], ['outcomes', 2], ['arrivals', 6], ['dead_letters', 1]] as const) {
      const stored = (stream: string): Promise<object[]> =>
        connections.stats.select(`SELECT * EXCEPT stream FROM ${table} FINAL WHERE stream = {stream:String} ORDER BY offset`, {stream});
      const byCells = await stored('cells');
      expect(byCells).toHaveLength(count);
      expect(byCells).toEqual(await stored('objects'));
    }
    const [version] = await connections.stats.select("SELECT min(version = bitNot(bitOr(bitOr(bitShiftLeft(toUInt128(toUnixTimestamp64Milli(arrival_ts)), 80), bitShiftLeft(toUInt128(log_epoch), 64)), bitOr(bitShiftLeft(toUInt128(partition), 48), toUInt128(offset))))) AS same FROM outcomes WHERE stream = 'cells'");
    expect(version).toEqual({same: 1});
  });

  test('copies within one block count once, and the earliest wins', async () => {
    const storage = storageOf(connections);
    const same = {eventId: outcomeFact({serial: 9, offset: 1}).eventId, unitId: 'u'};
    const [late, early] = [outcomeFact({serial: 9, offset: 8}, {...same, measures: {score: 2}}), outcomeFact({serial: 9, offset: 4}, {...same, measures: {score: 1}})];
    await storage.insertFacts({stream: 'copies', exposures: [], outcomes: [late, early, late], deadLetters: [], arrivals: []});
    const [kept] = await connections.stats.select(
      "SELECT count() AS n, any(measures['score']) AS score FROM outcomes FINAL WHERE stream = 'copies' SETTINGS do_not_merge_across_partitions_select_final = 1",
    );
    expect(kept).toEqual({n: '1', score: 1});
  });

  test.each([1, 256, 257, 65_536, 65_537])('a dictionary of %i texts is read back', async count => {
    await connections.stats.command('CREATE OR REPLACE TABLE texts (t LowCardinality(String)) ENGINE = MergeTree ORDER BY tuple()');
    const t = new DictionaryColumn();
    for (let index = 0; index < count; index++) t.pushText(`text ${index}`);
    t.pushText('text 0');
    await connections.stats.insertNative('texts', ['t'], nativeBlock({t}, count + 1), count + 1);
    const [read] = await connections.stats.select("SELECT count() AS n, uniqExact(t) AS texts, countIf(t = 'text 0') AS zeros, max(toUInt32(substring(t, 6))) AS last FROM texts");
    expect(read).toEqual({n: String(count + 1), texts: String(count), zeros: '2', last: count - 1});
  });
});
