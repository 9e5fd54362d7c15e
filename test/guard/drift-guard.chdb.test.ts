/** What a drift guard asks the engine: the distance from control's window, and from the variant's own time before. */
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {Guard} from '../../src/core/experiment.ts';
import {epochMs} from '../../src/core/units.ts';
import {seededRng} from '../../src/core/rng.ts';
import {backtestGuard} from '../../src/guard/backtest-guard.ts';
import {driftFinding, driftFindings} from '../../src/guard/drift.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {History, metric, T0, testStream, versionsOf, viewOf} from '../warehouse/closing-histories.ts';
import {type ChdbWarehouse, openChdbWarehouse} from '../warehouse/closing-warehouse.ts';

const skipReason = await chdbSkipReason();
const STREAM = testStream('d');
const VIEW = viewOf({stream: 'd', experiment: 'x', metrics: [metric({key: 'score', measure: 'score'})]});
const MINUTE = 60_000;
const SEED = 20_261_121;
const at = epochMs(T0 + 10 * MINUTE);

/** Ten minutes of two variants alike; in the last one both move by one, and v2 by another half. */
const outcomes = ((rng = seededRng(SEED)) =>
  Array.from({length: 2_000}, (_, index) => {
    const variant = index % 2 === 0 ? 'v1' : 'v2';
    const ms = index * 300;
    return {ms, variant, score: rng.next() + (ms >= 9 * MINUTE ? (variant === 'v2' ? 1.5 : 1) : 0)};
  }))();

function distanceOf(a: readonly number[], b: readonly number[]): number {
  const share = (values: readonly number[], limit: number): number => values.filter(value => value <= limit).length / values.length;
  return Math.max(...[...a, ...b].map(limit => Math.abs(share(a, limit) - share(b, limit))));
}
const valuesOf = (variant: string, from: number, to: number): number[] => outcomes.filter(one => one.variant === variant && one.ms >= from && one.ms < to).map(({score}) => score);

describe.skipIf(skipReason !== null)(`drift guards over the engine, seed ${SEED}${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let harness: ChdbWarehouse;
  beforeAll(async () => {
    harness = await openChdbWarehouse();
    const history = new History(STREAM);
    for (const variant of ['v1', 'v2']) history.append({kind: 'exposure', at: 0, unitId: `unit-${variant}`, variant}, {arrival: 0});
    for (const {ms, variant, score} of outcomes) history.append({kind: 'outcome', at: ms, unitId: `unit-${variant}`, measures: {score}}, {arrival: ms});
    await harness.warehouse.mirrorStream(STREAM);
    await harness.warehouse.mirrorVersions(versionsOf(VIEW));
    await harness.warehouse.insertFacts(history.batch());
  });
  afterAll(() => harness?.close());

  const ask = (more: Partial<Guard> = {}, {phase = 1, variant = 'v2'} = {}) => {
    const guard: Guard = {kind: 'drift', metric: 'score', windowMs: MINUTE, above: 0.15, below: null, minN: 50, action: 'roll_back', referenceMs: null, ...more};
    return driftFinding(harness.warehouse, {view: VIEW, guard, index: 0, variant, at}, {stream: 'd', phase});
  };

  test('against control in the same window', async () => {
    const wanted = distanceOf(valuesOf('v2', 9 * MINUTE, 10 * MINUTE), valuesOf('v1', 9 * MINUTE, 10 * MINUTE));
    expect(await ask()).toMatchObject({state: 'breach', n: 100, value: expect.closeTo(wanted, 12), threshold: 0.15, windowEnd: at, windowStart: at - MINUTE, rule: {name: 'guard:x:score:0'}});
  });

  test('against its own time before: both have moved', async () => {
    const wanted = distanceOf(valuesOf('v2', 9 * MINUTE, 10 * MINUTE), valuesOf('v2', 4 * MINUTE, 9 * MINUTE));
    expect(await ask({referenceMs: 5 * MINUTE})).toMatchObject({state: 'breach', n: 100, value: expect.closeTo(wanted, 12)});
    expect((await ask({referenceMs: 5 * MINUTE}, {variant: 'v1'})).value).toBeGreaterThan(0.8);
  });

  test.each([['against control', null], ['against its own time before', 5 * MINUTE]])('%s: many ends at once say what each says alone', async (_, referenceMs) => {
    const guard: Guard = {kind: 'drift', metric: 'score', windowMs: MINUTE, above: 0.15, below: null, minN: 50, action: 'roll_back', referenceMs};
    const ends = Array.from({length: 12}, (__, index) => epochMs(T0 + (index + 1) * MINUTE));
    const together = await driftFindings(harness.warehouse, {view: VIEW, guard, index: 0, variant: 'v2'}, {stream: 'd', phase: 1, ends, secondsMax: 30});
    const alone = await Promise.all(ends.map(end => driftFinding(harness.warehouse, {view: VIEW, guard, index: 0, variant: 'v2', at: end}, {stream: 'd', phase: 1})));
    expect(together).toEqual(alone);
    expect(new Set(together.map(({state}) => state))).toEqual(new Set(['ok', 'breach', 'inconclusive']));
  });

  test('a backtest over facts fires when both have moved apart', async () => {
    const guard: Guard = {kind: 'drift', metric: 'score', windowMs: MINUTE, above: 0.15, below: null, minN: 50, action: 'roll_back', referenceMs: null};
    const view = {...VIEW, definition: {...VIEW.definition, guards: [guard]}};
    const [found, ...others] = await backtestGuard({warehouse: harness.warehouse, view, history: versionsOf(view) as never, index: 0, sliceMs: 10_000, from: epochMs(T0), to: at});
    expect(others).toEqual([]);
    expect(found).toMatchObject({rule: 'guard:x:score:0', variant: 'v2', threshold: 0.15});
    expect(Date.parse(found?.fired_at ?? '')).toBeGreaterThan(T0 + 9 * MINUTE);
  });

  test('with several rates each value counts by what it stands for, and no distance is taken for more than it is', async () => {
    // v1 in full; of v2's values, the same ones, the upper half is sent to a tenth.
    const rng = seededRng(SEED + 1);
    const stream = testStream('dw');
    const view = {...VIEW, stream: 'dw'};
    const history = new History(stream);
    const sent: {variant: string; score: number; rate: number}[] = [];
    for (const variant of ['v1', 'v2']) history.append({kind: 'exposure', at: 0, unitId: `unit-${variant}`, variant}, {arrival: 0});
    for (let index = 0; index < 4_000; index += 1) {
      const [variant, score] = [index % 2 === 0 ? 'v1' : 'v2', rng.next()];
      const rate = variant === 'v2' && score >= 0.5 ? 0.1 : 1;
      if (rng.next() >= rate) continue;
      sent.push({variant, score, rate});
      history.append({kind: 'outcome', at: 9 * MINUTE + index, unitId: `unit-${variant}`, measures: {score}, sampleRate: rate}, {arrival: 9 * MINUTE + index});
    }
    await harness.warehouse.mirrorStream(stream);
    await harness.warehouse.mirrorVersions(versionsOf(view));
    await harness.warehouse.insertFacts(history.batch());
    const guard: Guard = {kind: 'drift', metric: 'score', windowMs: MINUTE, above: 0.15, below: null, minN: 50, action: 'roll_back', referenceMs: null};
    const found = await driftFinding(harness.warehouse, {view, guard, index: 0, variant: 'v2', at}, {stream: 'dw', phase: 1});
    const [v1, v2] = ['v1', 'v2'].map(variant => sent.filter(one => one.variant === variant));
    if (v1 === undefined || v2 === undefined) throw new Error('two arms');
    const share = (values: typeof sent, limit: number): number => {
      const weigh = (some: typeof sent): number => some.reduce((sum, {rate}) => sum + 1 / rate, 0);
      return weigh(values.filter(({score}) => score <= limit)) / weigh(values);
    };
    const wanted = Math.max(...sent.map(({score}) => Math.abs(share(v1, score) - share(v2, score))));
    expect(found).toMatchObject({state: 'ok', value: expect.closeTo(wanted, 9), n: v2.length});
    // As they were sent the arms are far apart.
    expect(distanceOf(v1.map(({score}) => score), v2.map(({score}) => score))).toBeGreaterThan(0.3);
    const kish = v2.reduce((sum, {rate}) => sum + 1 / rate, 0) ** 2 / v2.reduce((sum, {rate}) => sum + 1 / rate ** 2, 0);
    const noise = Math.sqrt(Math.log(2e6) / 2) * Math.sqrt(1 / v1.length + 1 / kish);
    expect(found.reason).toContain(`noise ${noise.toFixed(3)}`);
  });

  test('outcomes of another phase, and measures nobody sends, say nothing', async () => {
    expect(await ask({}, {phase: 2})).toMatchObject({state: 'inconclusive', value: null});
    expect(await ask({metric: 'nothing'})).toMatchObject({state: 'inconclusive', value: null, n: 0});
    expect(await ask({minN: 101})).toMatchObject({state: 'inconclusive', n: 100});
  });
});
