import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {ExperimentView} from '../../src/core/experiment.ts';
import type {Stream} from '../../src/core/streams.ts';
import {epochMs} from '../../src/core/units.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {type History, metric, randomHistory, T0, testStream, versionsOf, viewOf} from './closing-histories.ts';
import {slicesOf, textOf} from './closing-oracle.ts';
import {type ChdbWarehouse, openChdbWarehouse} from './closing-warehouse.ts';

const skipReason = await chdbSkipReason();

describe.skipIf(skipReason !== null)('the audit finds what is not so', () => {
  let harness: ChdbWarehouse;
  beforeAll(async () => {
    harness = await openChdbWarehouse();
  });
  afterAll(() => harness?.close());

  type Closed = {readonly stream: Stream; readonly view: ExperimentView; readonly history: History};

  const closedHistory = async (name: string, through = 120_000): Promise<Closed> => {
    const stream = testStream(name);
    const view = viewOf({stream: name, experiment: 'x'});
    const history = randomHistory(stream, 21);
    await harness.warehouse.mirrorStream(stream);
    await harness.warehouse.mirrorVersions(versionsOf(view));
    await harness.warehouse.insertFacts(history.batch());
    await harness.warehouse.closeSlices({stream, views: [view], committed: [], fromSlice: epochMs(T0), throughSlice: epochMs(T0 + through)});
    return {stream, view, history};
  };
  const audit = (stream: Stream, view: ExperimentView, slicesMax: number | null = null) => harness.warehouse.auditSlices({stream, views: [view], slicesMax});

  test('nothing stored: nothing checked, which the caller must treat as a failure', async () => {
    expect(await audit(testStream('none'), viewOf({stream: 'none', experiment: 'x'}))).toEqual({slicesChecked: 0, mismatches: [], duplicateKeys: 0});
  });

  test('a fact that vanished shows, with both sides', async () => {
    const {stream, view} = await closedHistory('lost');
    expect((await audit(stream, view)).mismatches).toEqual([]);
    await harness.sql.command("ALTER TABLE outcomes DELETE WHERE stream = 'lost' AND event_ts >= fromUnixTimestamp64Milli({from:Int64}) AND event_ts < fromUnixTimestamp64Milli({to:Int64}) SETTINGS mutations_sync = 2".replace('{from:Int64}', String(T0 + 40_000)).replace('{to:Int64}', String(T0 + 50_000)));
    const {mismatches} = await audit(stream, view);
    expect(mismatches.length).toBeGreaterThan(0);
    expect(mismatches[0]).toMatchObject({slice: expect.stringContaining('x phase'), recomputed: 'nothing'});
    expect(mismatches.every(({slice}) => slice.includes('00:00:40.000'))).toBe(true);
    const newest = await audit(stream, view, 3);
    expect(newest).toMatchObject({slicesChecked: 3, mismatches: []});
  });

  test('a stored row that nothing supports shows, in any column', async () => {
    const {stream, view} = await closedHistory('altered');
    await harness.sql.command(
      "INSERT INTO slices SELECT * REPLACE (sum_squares_q + 1 AS sum_squares_q) FROM slices FINAL WHERE stream = 'altered' AND metric = 'score' AND dimension = '' ORDER BY slice_start DESC LIMIT 1",
    );
    const {mismatches} = await audit(stream, view);
    expect(mismatches.length).toBe(1);
    const [stored, recomputed] = [mismatches[0]?.stored, mismatches[0]?.recomputed].map(text => /^sum_squares_q (\d+)$/.exec(text ?? '')?.[1]);
    expect(BigInt(stored ?? 0)).toBe(BigInt(recomputed ?? 0) + 1n);
  });

  test('slices are checked with the definition they were closed under', async () => {
    const {stream, view} = await closedHistory('changed', 60_000);
    const next = {...view, version: 2, definition: {...view.definition, metrics: [metric({key: 'score', measure: 'score', scale: 3})]}};
    await harness.warehouse.mirrorVersions(versionsOf(next).map(version => ({...version, version: 2})));
    await harness.warehouse.closeSlices({stream, views: [next], committed: [], fromSlice: epochMs(T0 + 60_000), throughSlice: epochMs(T0 + 120_000)});
    const result = await audit(stream, next);
    expect(result.mismatches).toEqual([]);
    expect(result.slicesChecked).toBe(12);
  });

  test('a forgotten unit: later recomputes leave it out, earlier slices are not checked, the books still balance', async () => {
    const {stream, view, history} = await closedHistory('forgets');
    const before = await audit(stream, view);
    const arrivalTs = T0 + 500_000;
    const counted = (tombstones: readonly {unitId: string; arrivalTs: number}[]): string => JSON.stringify([...slicesOf(history, {views: [view], cut: null, tombstones})]);
    const unitId = history.outcomes.map(outcome => outcome.unitId).find(unit => counted([{unitId: unit, arrivalTs}]) !== counted([])) ?? '';
    const tombstone = {unitId, arrivalTs};
    await harness.sql.command(`INSERT INTO tombstones VALUES ('forgets', '${unitId}', fromUnixTimestamp64Milli(${arrivalTs}), 'asked')`);
    const result = await audit(stream, view);
    expect(result.mismatches).toEqual([]);
    expect(result.slicesChecked).toBeLessThan(before.slicesChecked);
    await harness.warehouse.reviseSlices({stream, views: [view], committed: [], sinceCut: epochMs(T0), cut: epochMs(T0 + 500_000), closedThrough: epochMs(T0 + 120_000)});
    const revised = slicesOf(history, {views: [view], cut: T0 + 500_000, tombstones: [tombstone]});
    const rows = textOf(await harness.warehouse.closedSlices('forgets', 'x'));
    for (const [key, value] of rows) if (revised.get(key) !== value) expect(slicesOf(history, {views: [view], cut: null}).get(key)).toBe(value);
    const books = await harness.warehouse.ledger('forgets', history.committed());
    const gone = books.reduce((sum, {accepted, facts}) => sum + accepted - facts, 0);
    const copies = new Set([...history.exposures, ...history.outcomes].filter(fact => fact.unitId === unitId).map(({kind, eventId}) => kind + Buffer.from(eventId).toString('hex')));
    expect(gone).toBe(copies.size);
  });

  test('a backlog closed in several queries leaves the rows of one', async () => {
    const stream = testStream('backlog');
    const view = viewOf({stream: 'backlog', experiment: 'x'});
    const history = randomHistory(stream, 22);
    await harness.warehouse.mirrorStream(stream);
    await harness.warehouse.mirrorVersions(versionsOf(view));
    await harness.warehouse.insertFacts(history.batch());
    const day = 86_400_000;
    await harness.warehouse.closeSlices({stream, views: [view], committed: [], fromSlice: epochMs(T0 - day), throughSlice: epochMs(T0 + day)});
    expect(textOf(await harness.warehouse.closedSlices('backlog', 'x'))).toEqual(slicesOf(history, {views: [view], cut: null}));
    expect(await harness.warehouse.closingState('backlog')).toMatchObject({closedThrough: T0 + day, revisedCut: null, firstSliceStart: T0});
  });
});
