/** What alerts ask the engine itself: distances of distributions, the snapshot of an alert, windows of one dimension. */
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import {seededRng} from '../../src/core/rng.ts';
import {readDrift, readSnapshot} from '../../src/guard/alert-queries.ts';
import {runRules} from '../../src/guard/run-rules.ts';
import type {AlertRow} from '../../src/warehouse/warehouse.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {History, metric, T0, testStream, versionsOf, viewOf} from '../warehouse/closing-histories.ts';
import {type ChdbWarehouse, openChdbWarehouse} from '../warehouse/closing-warehouse.ts';
import {makeRule} from './fixtures.ts';

const skipReason = await chdbSkipReason();
const STREAM = testStream('g');
const VIEW = viewOf({stream: 'g', experiment: 'x', metrics: [metric({key: 'score', measure: 'score', dimensions: ['region']})]});
const MINUTE = 60_000;
const SEED = 20_261_121;

type Seeded = {readonly at: number; readonly variant: string; readonly score: number; readonly region: string; readonly traceId: string};

/** Ten minutes of two variants; in the last one v2 moves up by two, in `eu` only. */
function seeded(): Seeded[] {
  const rng = seededRng(SEED);
  return Array.from({length: 2_000}, (_, index) => {
    const at = index * 300;
    const variant = index % 2 === 0 ? 'v1' : 'v2';
    const region = rng.next() < 0.75 ? 'eu' : 'us';
    const shift = variant === 'v2' && region === 'eu' && at >= 9 * MINUTE ? 2 : 0;
    return {at, variant, region, score: rng.next() + shift, traceId: variant === 'v2' && at >= 9 * MINUTE ? `trace-${String(index).padStart(4, '0')}` : ''};
  });
}

/** The largest gap between two empirical distribution functions. */
function distanceOf(a: readonly number[], b: readonly number[]): number {
  const share = (values: readonly number[], limit: number): number => values.filter(value => value <= limit).length / values.length;
  return Math.max(...[...a, ...b].map(limit => Math.abs(share(a, limit) - share(b, limit))));
}

describe.skipIf(skipReason !== null)(`alerts over the engine, seed ${SEED}${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  const outcomes = seeded();
  const at = epochMs(T0 + 10 * MINUTE);
  let harness: ChdbWarehouse;

  beforeAll(async () => {
    harness = await openChdbWarehouse();
    const {warehouse} = harness;
    const history = new History(STREAM);
    for (const variant of ['v1', 'v2']) history.append({kind: 'exposure', at: 0, unitId: `unit-${variant}`, variant}, {arrival: 0});
    for (const {at: ms, variant, score, region, traceId} of outcomes) history.append({kind: 'outcome', at: ms, unitId: `unit-${variant}`, measures: {score}, attributes: {region}, traceId}, {arrival: ms});
    await warehouse.mirrorStream(STREAM);
    await warehouse.mirrorVersions(versionsOf(VIEW));
    await warehouse.insertFacts(history.batch());
    await warehouse.closeSlices({stream: STREAM, views: [VIEW], committed: [], fromSlice: epochMs(T0), throughSlice: at});
  });
  afterAll(() => harness?.close());

  const driftRule = makeRule({name: 'shift', kind: 'drift', metric: 'score', windowMs: MINUTE, referenceMs: 5 * MINUTE, above: 0.15, minN: 50});
  const valuesOf = (variant: string, from: number, to: number): number[] => outcomes.filter(one => one.variant === variant && one.at >= from && one.at < to).map(({score}) => score);

  test('drift is the KS distance of the window from the reference before it', async () => {
    const readings = await readDrift(harness.warehouse, driftRule, {stream: 'g', experiment: 'x', at});
    expect(readings).toEqual(['v1', 'v2'].map(variant => ({
      experiment: 'x', measure: 'score', windowMs: MINUTE, at, variant, n: 100,
      distance: expect.closeTo(distanceOf(valuesOf(variant, 9 * MINUTE, 10 * MINUTE), valuesOf(variant, 4 * MINUTE, 9 * MINUTE)), 12),
    })));
    expect(readings.map(({distance}) => (distance ?? 0) > 0.5)).toEqual([false, true]);
  });

  test('without a reference there is no distance, and an unknown measure has no reading', async () => {
    const early = await readDrift(harness.warehouse, driftRule, {stream: 'g', experiment: 'x', at: epochMs(T0 + MINUTE)});
    expect(early.map(({distance, n}) => [distance, n])).toEqual([[null, 0], [null, 0]]);
    expect(await readDrift(harness.warehouse, {...driftRule, metric: 'nothing'}, {stream: 'g', experiment: 'x', at})).toEqual([]);
  });

  test('a drift that fires keeps the values, the most frequent attributes and traces of the variant\'s window', async () => {
    const fired = await runRules({
      warehouse: harness.warehouse, stream: 'g', slideMs: STREAM.sliceMs, rules: [driftRule], experiments: ['x'], at,
      drifts: (rule, when) => readDrift(harness.warehouse, rule, {stream: 'g', experiment: 'x', at: when}),
      snapshot: row => readSnapshot(harness.warehouse, row),
    });
    expect(fired.map(({row}) => [row.variant, row.state])).toEqual([['v2', 'firing']]);
    const inside = outcomes.filter(one => one.variant === 'v2' && one.at >= 9 * MINUTE);
    const count = (region: string): number => inside.filter(one => one.region === region).length;
    const stored = (await harness.warehouse.latestAlerts('g'))[0];
    expect(stored?.context).toMatchObject({
      top_dimensions: [{name: 'region', value: 'eu', outcomes: count('eu')}, {name: 'region', value: 'us', outcomes: count('us')}],
      trace_ids: inside.map(({traceId}) => traceId).sort().slice(0, 5),
    });
  });

  test('an alert over all variants has the attributes of all; one without a window has no snapshot', async () => {
    const row = {stream: 'g', experiment: 'x', variant: '', window_start: new Date(T0 + 8 * MINUTE).toISOString(), window_end: new Date(at).toISOString()} as AlertRow;
    const all = (await readSnapshot(harness.warehouse, row))['top_dimensions'] as readonly {outcomes: number}[];
    expect(all.reduce((sum, {outcomes: n}) => sum + n, 0)).toBe(outcomes.filter(one => one.at >= 8 * MINUTE).length);
    expect(await readSnapshot(harness.warehouse, {...row, window_start: null})).toEqual({});
  });

  test('a rule on one region sees that region\'s windows; the totals stay apart', async () => {
    const ask = async (dimension?: {readonly name: string; readonly value: string}) => {
      const rows = await harness.warehouse.windows({stream: 'g', experiment: 'x', sizeMs: MINUTE, slideMs: MINUTE, from: epochMs(at - MINUTE), to: at, ...(dimension === undefined ? {} : {dimension})});
      return rows.map(({variant, n, max}) => [variant, n, max > 1]);
    };
    const inside = (variant: string, region: string): number => outcomes.filter(one => one.variant === variant && one.at >= 9 * MINUTE && one.region === region).length;
    expect(await ask({name: 'region', value: 'eu'})).toEqual([['v1', inside('v1', 'eu'), false], ['v2', inside('v2', 'eu'), true]]);
    expect(await ask({name: 'region', value: 'us'})).toEqual([['v1', inside('v1', 'us'), false], ['v2', inside('v2', 'us'), false]]);
    expect(await ask()).toEqual([['v1', 100, false], ['v2', 100, true]]);
    const rule = makeRule({name: 'eu high', metric: 'score', above: 2, minN: 10, dimension: {name: 'region', value: 'eu'}});
    const fired = await runRules({warehouse: harness.warehouse, stream: 'g', slideMs: STREAM.sliceMs, rules: [rule, {...rule, name: 'us high', dimension: {name: 'region', value: 'us'}}], experiments: ['x'], at});
    expect(fired.map(({row}) => [row.rule, row.variant, row.state])).toEqual([['eu high', 'v2', 'firing']]);
  });
});
