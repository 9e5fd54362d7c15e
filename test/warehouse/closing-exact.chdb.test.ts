import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {quantise} from '../../src/core/exact.ts';
import {bucketOf} from '../../src/core/histogram.ts';
import {HISTOGRAM_EDGES} from '../../src/core/histogram-edges.ts';
import {seededRng} from '../../src/core/rng.ts';
import {epochMs} from '../../src/core/units.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {eventId, History, metric, T0, testStream, versionsOf, viewOf} from './closing-histories.ts';
import {type ChdbWarehouse, openChdbWarehouse} from './closing-warehouse.ts';

const skipReason = await chdbSkipReason();
const SEED = 20260302;
const PER_SCALE = 25_000;
const SCALES = [0, 6, 9, 12];

/** Doubles of every size, halves, values on edges and their neighbours. */
function hardValues(seed: number, scale: number): number[] {
  const rng = seededRng(seed);
  const values = [0, -0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 9.999e14, -9.999e14, 123456789012345.6, 2 ** 49 + 0.5, 4.35, 1.005, 0.1 + 0.2];
  const data = new DataView(new ArrayBuffer(8));
  while (values.length < PER_SCALE) {
    const kind = rng.next();
    const edge = HISTOGRAM_EDGES[Math.floor(rng.next() * HISTOGRAM_EDGES.length)] ?? 1;
    if (kind < 0.3) values.push((Math.floor(rng.next() * 2e6) + 0.5) / 10 ** scale);
    else if (kind < 0.6) values.push((rng.next() - 0.5) * 10 ** (rng.next() * 24 - 9));
    else {
      data.setFloat64(0, edge);
      data.setBigUint64(0, data.getBigUint64(0) + BigInt(Math.floor(rng.next() * 3) - 1));
      values.push(data.getFloat64(0) * (rng.next() < 0.5 ? -1 : 1));
    }
  }
  return values.filter(value => Math.abs(value) < 1e15);
}

describe.skipIf(skipReason !== null)('SQL and TypeScript round and bucket alike', () => {
  let harness: ChdbWarehouse;
  beforeAll(async () => {
    harness = await openChdbWarehouse();
  });
  afterAll(() => harness?.close());

  test('the edges of the view are those of core/histogram-edges.ts', async () => {
    const [row] = await harness.sql.select<{edges: number[]}>('SELECT edges FROM histogram_edges');
    expect(row?.edges).toEqual(HISTOGRAM_EDGES);
  });

  test.each(SCALES)(`scale %i: sums, squares and histograms of ${PER_SCALE} doubles (seed ${SEED})`, async scale => {
    const stream = testStream(`exact${scale}`);
    const values = hardValues(SEED + scale, scale);
    const history = new History(stream);
    history.append({kind: 'exposure', at: 0}, {arrival: 0});
    const [first] = history.exposures;
    const arrival = {...(first?.arrival ?? {logEpoch: 0, partition: 0, appendTs: epochMs(T0), arrivalTs: epochMs(T0)})};
    // One slice per value, so that a single wrong digit cannot hide in a sum.
    const outcomes = values.map((score, index) => ({
      kind: 'outcome' as const, eventId: eventId(T0 + 3_600_000, index + 10), unitId: 'u1', eventTs: epochMs(T0 + 1 + index * 2), itemId: null, variantHint: {},
      measures: {score}, status: 'ok' as const, sampleRate: 1, traceId: '', attributes: {}, arrival: {...arrival, offset: BigInt(index + 1)},
    }));
    await harness.warehouse.insertFacts({...history.batch(), outcomes, arrivals: []});
    const view = viewOf({stream: stream.name, experiment: 'x', metrics: [metric({key: 'score', measure: 'score', scale})]});
    await harness.warehouse.mirrorVersions(versionsOf(view));
    const tiny = {...stream, sliceMs: 2 as typeof stream.sliceMs};
    await harness.warehouse.closeSlices({stream: tiny, views: [view], committed: [], fromSlice: epochMs(T0), throughSlice: epochMs(T0 + values.length * 2)});
    const rows = await harness.warehouse.closedSlices(stream.name, 'x');
    expect(rows.length).toBe(values.length);
    const wrong = rows.filter(row => {
      const value = values[(row.sliceStart - T0) / 2] ?? Number.NaN;
      const q = quantise(value, scale);
      const [bucket] = [...row.histogram.keys()];
      return row.sumQ !== q || row.sumSquaresQ !== q * q || bucket !== bucketOf(value) || row.min !== value + 0 || row.max !== value + 0;
    });
    expect(wrong.slice(0, 3)).toEqual([]);
  }, 120_000);

  test('thousands of experiments close, are revised and audited in one request each', async () => {
    const stream = testStream('many');
    const history = new History(stream);
    const views = Array.from({length: 3_000}, (_, number) => viewOf({stream: stream.name, experiment: `experiment-${number}`, design: number % 2 === 0 ? 'split' : 'paired'}));
    const [split, paired] = ['experiment-2998', 'experiment-2999'] as const;
    history.append({kind: 'exposure', at: 0, experiment: split}, {arrival: 0});
    history.append({kind: 'outcome', at: 5, measures: {score: 3}, variantHint: {[paired]: 'v2', unknown: 'v1'}}, {arrival: 10});
    const late = 60_000;
    history.append({kind: 'outcome', at: 6, measures: {score: 4}, variantHint: {[paired]: 'v1'}}, {arrival: late});
    await harness.warehouse.insertFacts(history.batch());
    await harness.warehouse.mirrorVersions(views.flatMap(versionsOf));
    const throughSlice = epochMs(T0 + stream.sliceMs);
    await harness.warehouse.closeSlices({stream, views, committed: [], fromSlice: epochMs(T0), throughSlice});
    const counted = async (experiment: string) =>
      (await harness.warehouse.closedSlices(stream.name, experiment)).filter(row => row.metric === 'score' && row.dimension === '' && row.n > 0n).map(row => [row.variant, Number(row.n), Number(row.sumQ) / 1e9]);
    expect(await counted(split)).toEqual([['v1', 1, 3]]);
    expect(await counted(paired)).toEqual([['v2', 1, 3]]);
    await harness.warehouse.reviseSlices({stream, views, committed: [], cut: epochMs(T0 + late), sinceCut: epochMs(T0 + 1), closedThrough: throughSlice});
    expect(await counted(split)).toEqual([['v1', 2, 7]]);
    expect((await counted(paired)).sort()).toEqual([['v1', 1, 4], ['v2', 1, 3]]);
    expect(await harness.warehouse.auditSlices({stream, views, slicesMax: null})).toMatchObject({mismatches: []});
  }, 120_000);
});
