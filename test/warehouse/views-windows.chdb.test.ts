import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {histogramQuantile, bucketOf} from '../../src/core/histogram.ts';
import {epochMs} from '../../src/core/units.ts';
import type {WindowRow} from '../../src/warehouse/warehouse.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {History, metric, randomHistory, T0, testStream, versionsOf, viewOf} from './closing-histories.ts';
import {type ChdbWarehouse, openChdbWarehouse} from './closing-warehouse.ts';

const skipReason = await chdbSkipReason();
const STREAM = testStream('w');
const VIEW = viewOf({stream: 'w', experiment: 'x', metrics: [metric({key: 'score', measure: 'score', dimensions: ['region']}), metric({key: 'calls', aggregate: 'total', measure: 'outcomes'})]});

describe.skipIf(skipReason !== null)('windows are the merge of their slices', () => {
  let harness: ChdbWarehouse;
  const values: {readonly at: number; readonly value: number}[] = [];

  beforeAll(async () => {
    harness = await openChdbWarehouse();
    const history = new History(STREAM);
    history.append({kind: 'exposure', at: 0}, {arrival: 0});
    for (let at = 100; at < 60_000; at += 700) {
      const value = ((at * 7919) % 1000) / 10 - 20;
      values.push({at, value});
      history.append({kind: 'outcome', at, measures: {score: value}, attributes: {region: (at - 100) % 1400 === 0 ? 'eu' : 'us'}}, {arrival: at});
    }
    history.append({kind: 'outcome', at: 3_000, measures: {score: 1_000}}, {arrival: 70_000});
    await harness.warehouse.mirrorStream(STREAM);
    await harness.warehouse.mirrorVersions(versionsOf(VIEW));
    await harness.warehouse.insertFacts(history.batch());
    await harness.warehouse.closeSlices({stream: STREAM, views: [VIEW], committed: [], fromSlice: epochMs(T0), throughSlice: epochMs(T0 + 40_000)});
    const late = {at: 45_000, n: 2, sum: 30, m2: 50, min: 10, max: 20};
    await harness.warehouse.insertProvisional('w', [0, 1].map(partition => ({
      experiment: 'x', phase: 1, variant: 'v1', metric: 'score', dimension: '', dimensionValue: '', sliceStart: epochMs(T0 + 40_000),
      partition, logEpoch: 0, lastOffset: 9n, n: late.n, sum: late.sum, m2: late.m2, min: late.min, max: late.max, denominatorSum: 0, extraWeight: 0, extraSum: 0, extraDenominatorSum: 0,
      histogram: new Map([[bucketOf(10), 1], [bucketOf(20), 1]]),
    })));
  });
  afterAll(() => harness?.close());

  const windows = (sizeMs: number, slideMs: number): Promise<WindowRow[]> =>
    harness.warehouse.windows({stream: 'w', experiment: 'x', sizeMs, slideMs, from: epochMs(0), to: epochMs(T0 + 3_600_000)});

  test.each([[20_000, 10_000], [30_000, 10_000], [10_000, 10_000], [30_000, 20_000]])('size %i slide %i', async (size, slide) => {
    const rows = (await windows(size, slide)).filter(row => row.metric === 'score' && row.status === 'closed');
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) {
      const start = row.window_start - T0;
      expect(row.window_start % slide).toBe(0);
      const inside = values.filter(({at}) => at >= start && at < start + size).map(({value}) => value);
      const sum = inside.reduce((total, value) => total + BigInt(Math.round(value * 10)), 0n);
      const mean = Number(sum) / 10 / inside.length;
      expect([row.n, row.sum, row.min, row.max]).toEqual([inside.length, Number(sum) / 10, Math.min(...inside), Math.max(...inside)]);
      expect(row.sd).toBeCloseTo(Math.sqrt(inside.reduce((total, value) => total + (value - mean) ** 2, 0) / (inside.length - 1)), 9);
      const histogram = new Map<number, number>();
      for (const value of inside) histogram.set(bucketOf(value), (histogram.get(bucketOf(value)) ?? 0) + 1);
      for (const [column, p] of [[row.p50, 0.5], [row.p95, 0.95], [row.p99, 0.99]] as const) {
        expect(column).toBe(histogramQuantile(histogram, p, {min: row.min, max: row.max}));
      }
    }
  });

  test('what is not closed yet is provisional, from all partitions; integers stay integers', async () => {
    const rows = await windows(10_000, 10_000);
    const last = rows.find(row => row.window_start === T0 + 40_000 && row.metric === 'score');
    expect(last).toMatchObject({status: 'provisional', n: 4, sum: 60, mean: 15, min: 10, max: 20});
    expect(last?.sd).toBeCloseTo(Math.sqrt(100 / 3), 12);
    const wide = (await windows(20_000, 20_000)).find(row => row.window_end > T0 + 40_000 && row.metric === 'score');
    expect(wide?.status).toBe('provisional');
    for (const row of rows.filter(({metric}) => metric === 'calls')) expect(row.sum).toBe(row.n);
  });

  test.each([10_000, 20_000, 30_000])('what guards read by the end of a window of %i ms is what windows says', async sizeMs => {
    const wanted = (await windows(sizeMs, 10_000)).filter(({metric}) => metric === 'score');
    const ends = [...new Set(wanted.map(row => row.window_end))];
    const ask = {experiment: 'x', phase: 1, sizeMs, metrics: ['score']};
    const found = await harness.warehouse.guardWindows('w', [{...ask, ends}, {...ask, experiment: 'nothing', ends}]);
    expect(found.map(({window_end}) => window_end)).toEqual(wanted.map(({window_end}) => window_end));
    for (const [index, row] of found.entries()) {
      const {sum, mean, sd, ...rest} = wanted[index] as WindowRow;
      expect(row).toMatchObject(rest);
      expect([row.sum / sum, row.mean / mean, (row.sd ?? 0) / (sd ?? 1)]).toEqual([expect.closeTo(1, 12), expect.closeTo(1, 12), expect.closeTo(1, 9)]);
      expect(row.errors.mean).toBeCloseTo((sd ?? 0) / Math.sqrt(row.n), 9);
      expect(row.errors.p50).toBeGreaterThan(0);
    }
    expect(await harness.warehouse.guardWindows('w', [{...ask, phase: 2, ends}])).toEqual([]);
    expect(await harness.warehouse.guardWindows('w', [])).toEqual([]);
    expect(await harness.warehouse.guardHistory('w', [{...ask, ends}])).toEqual(found);
  });

  test('a revision shows in the window and in its number', async () => {
    const before = (await windows(20_000, 20_000)).find(row => row.window_start <= T0 && row.window_end > T0 && row.metric === 'score');
    await harness.warehouse.reviseSlices({stream: STREAM, views: [VIEW], committed: [], sinceCut: epochMs(T0), cut: epochMs(T0 + 71_000), closedThrough: epochMs(T0 + 40_000)});
    const after = (await windows(20_000, 20_000)).find(row => row.window_start <= T0 && row.window_end > T0 && row.metric === 'score');
    expect([before?.revision, after?.revision]).toEqual([0, 1]);
    expect(after?.n).toBe((before?.n ?? 0) + 1);
    expect(after?.max).toBe(1_000);
    const ask = {experiment: 'x', phase: 1, sizeMs: 20_000, metrics: ['score'], ends: [after?.window_end ?? epochMs(0)]};
    const seen = async (how: 'guardWindows' | 'guardHistory') => (await harness.warehouse[how]('w', [ask])).map(({n}) => n);
    expect([await seen('guardWindows'), await seen('guardHistory')]).toEqual([[before?.n], [after?.n]]);
  });

  test('dimension rows are apart, and add up where every outcome has the attribute', async () => {
    const rows = await harness.warehouse.query('SELECT metric, dimension, dimension_value, sum(n) AS n FROM v_windows_by_dimension(size_s = 10, slide_s = 10) GROUP BY ALL ORDER BY ALL', {stream: 'w'});
    expect(rows.map(({dimension_value}) => dimension_value)).toEqual(['eu', 'us']);
    const plain = await harness.warehouse.query("SELECT count() AS rows FROM v_windows(size_s = 10, slide_s = 10) WHERE metric = 'score'", {stream: 'w'});
    expect(Number(plain[0]?.['rows'])).toBe(5);
  });

  test('a size that is no multiple of the base slice is refused, naming it', async () => {
    const ask = (sql: string) => harness.warehouse.query(sql, {stream: 'w'});
    await expect(ask('SELECT * FROM v_windows(size_s = 15, slide_s = 10)')).rejects.toThrow(/multiples of the base slice, which is 10 s in stream w/);
    await expect(ask('SELECT * FROM v_windows(size_s = 20, slide_s = 5)')).rejects.toThrow(/multiples of the base slice/);
    await expect(ask('SELECT * FROM v_windows(size_s = 20, slide_s = 0)')).rejects.toThrow(/multiples of the base slice/);
    await expect(ask('SELECT * FROM v_windows_all(size_s = 15, slide_s = 10)')).rejects.toThrow(/multiples of the base slice/);
  });

  test('the default stream: the only one, then an error naming all, then live; a name always wins', async () => {
    const streamOf = async (stream?: string) =>
      (await harness.warehouse.query('SELECT DISTINCT stream FROM v_outcomes', stream === undefined ? {} : {stream})).map(row => row['stream']);
    expect(await streamOf()).toEqual(['w']);
    await harness.warehouse.insertFacts(randomHistory(testStream('other'), 1).batch());
    await expect(streamOf()).rejects.toThrow(/several streams hold facts and none is live: name one of other, w/);
    expect(await streamOf('other')).toEqual(['other']);
    await harness.warehouse.insertFacts(randomHistory(testStream('live'), 1).batch());
    expect(await streamOf()).toEqual(['live']);
    expect(await streamOf('w')).toEqual(['w']);
  });
});
