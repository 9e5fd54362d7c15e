import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import {openRecordHasher, type RecordHasher} from '../../src/worker/record-hasher.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import type {Warehouse} from '../../src/warehouse/warehouse.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {LATENESS_MS, randomHistory, SLICE_MS, T0, testStream, versionsOf, viewOf, type History} from './closing-histories.ts';
import {slicesOf, textOf} from './closing-oracle.ts';
import {type ChdbWarehouse, openChdbWarehouse} from './closing-warehouse.ts';

const skipReason = await chdbSkipReason();
const CUT = epochMs(T0 + 9_000_000);

describe.skipIf(skipReason !== null)('a unit is forgotten', () => {
  let harness: ChdbWarehouse;
  let hasher: RecordHasher;
  const memory = openMemoryWarehouse();
  beforeAll(async () => {
    harness = await openChdbWarehouse();
    hasher = await openRecordHasher();
  });
  afterAll(() => harness?.close());

  /** The history with the hashes a worker writes, one more event far later, and every slice closed. */
  async function closed(warehouse: Warehouse, name: string): Promise<{history: History; books: () => Promise<Books>}> {
    const stream = testStream(name);
    const view = viewOf({stream: name, experiment: 'x'});
    const history = randomHistory(stream, 21);
    const batch = history.batch();
    const idOf = new Map([...history.exposures, ...history.outcomes].map(fact => [`${fact.arrival.partition}/${fact.arrival.offset}`, hasher.id(fact)]));
    await warehouse.mirrorStream(stream);
    await warehouse.mirrorVersions(versionsOf(view));
    const arrivals = [...batch.arrivals].map(row => ({...row, idHash: idOf.get(`${row.partition}/${row.offset}`) ?? row.idHash}));
    await warehouse.insertFacts({...batch, arrivals});
    await warehouse.closeSlices({stream, views: [view], committed: [], fromSlice: epochMs(T0), throughSlice: epochMs(T0 + 120_000)});
    const books = async (): Promise<Books> => {
      const rows = await warehouse.ledger(name, history.committed());
      const audit = await warehouse.auditSlices({stream, views: [view], slicesMax: null});
      const sum = (pick: (row: (typeof rows)[number]) => number): number => rows.reduce((total, row) => total + pick(row), 0);
      return {
        balance: rows.every(row => row.appended === row.accepted + row.duplicate + row.deadLettered + row.forgotten && row.accepted === row.facts),
        forgotten: sum(row => row.forgotten),
        facts: sum(row => row.facts),
        mismatches: audit.mismatches.length + audit.duplicateKeys,
        checked: audit.slicesChecked,
      };
    };
    return {history, books};
  }
  type Books = {readonly balance: boolean; readonly forgotten: number; readonly facts: number; readonly mismatches: number; readonly checked: number};

  test.each(['engine', 'memory'] as const)('%s: no fact is left, books balance, slices that held it are not checked, a replay brings nothing back', async kind => {
    const warehouse = kind === 'engine' ? harness.warehouse : memory;
    const {history, books} = await closed(warehouse, 'privacy');
    const before = await books();
    expect(before).toMatchObject({balance: true, forgotten: 0, mismatches: 0});
    const unitId = history.outcomes[0]?.unitId ?? '';
    const own = [...history.exposures, ...history.outcomes].filter(fact => fact.unitId === unitId);
    expect(own.length).toBeGreaterThan(3);
    const tombstone = await warehouse.writeTombstone({stream: 'privacy', unitId, reason: 'asked'});
    const covered = own.filter(({arrival}) => arrival.arrivalTs <= (tombstone?.forgottenTs ?? 0));
    expect(tombstone?.events).toBe(new Set(covered.map(fact => hasher.id(fact))).size);
    const hidden = await books();
    expect(hidden).toMatchObject({balance: true, forgotten: covered.length, mismatches: 0});
    expect(hidden.checked).toBeLessThan(before.checked);
    expect(await warehouse.firstExposures('privacy', [unitId])).toEqual([]);

    await warehouse.eraseUnit({stream: 'privacy', unitId, logKey: unitId, forgottenTs: tombstone?.forgottenTs ?? epochMs(0)});
    expect(await books()).toEqual(hidden);
    const known = await warehouse.tombstones('privacy');
    expect(known.units.get(unitId)).toBe(tombstone?.forgottenTs);
    for (const fact of covered) expect(known.ids.has(hasher.id(fact))).toBe(true);

    // A worker that does not know yet writes the same rows again.
    const batch = history.batch();
    await warehouse.insertFacts({...batch, arrivals: [], deadLetters: []});
    expect(await books()).toEqual(hidden);
  });

  test('the engine holds no row with the unit id but its tombstone, and revisions count without it', async () => {
    const {history} = await closed(harness.warehouse, 'erased');
    const unitId = history.outcomes[0]?.unitId ?? '';
    const tombstone = await harness.warehouse.writeTombstone({stream: 'erased', unitId, reason: ''});
    await harness.warehouse.eraseUnit({stream: 'erased', unitId, logKey: unitId, forgottenTs: tombstone?.forgottenTs ?? CUT});
    for (const table of ['exposures', 'outcomes']) {
      expect(await harness.sql.select(`SELECT unit_id FROM ${table} WHERE stream = 'erased' AND unit_id = '${unitId}'`)).toEqual([]);
    }
    const view = viewOf({stream: 'erased', experiment: 'x'});
    const stream = testStream('erased');
    await harness.warehouse.reviseSlices({stream, views: [view], committed: [], sinceCut: epochMs(T0 - 1), cut: CUT, closedThrough: epochMs(T0 + 120_000)});
    const without = slicesOf(history, {views: [view], cut: CUT, tombstones: [{unitId, arrivalTs: CUT}]});
    const kept = slicesOf(history, {views: [view], cut: null});
    for (const [key, value] of textOf(await harness.warehouse.closedSlices('erased', 'x'))) expect([without.get(key), kept.get(key)]).toContain(value);
  });

  test('a forgotten stream that never had an event says so', async () => {
    expect(await harness.warehouse.writeTombstone({stream: 'nothing', unitId: 'u', reason: ''})).toBeNull();
    expect(await memory.writeTombstone({stream: 'nothing', unitId: 'u', reason: ''})).toBeNull();
    expect(SLICE_MS + LATENESS_MS).toBeGreaterThan(0);
  });
});
