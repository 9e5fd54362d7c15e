import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {seededRng} from '../../src/core/rng.ts';
import {WEIGHT_ONE, weightOf} from '../../src/core/sampling.ts';
import {epochMs} from '../../src/core/units.ts';
import {loadQuery} from '../../src/warehouse/clickhouse/query-file.ts';
import {WEIGHT_SQL} from '../../src/warehouse/clickhouse/weight-sql.ts';
import type {WindowRow} from '../../src/warehouse/warehouse.ts';
import {Attributor} from '../../src/worker/attribution.ts';
import {ProvisionalSlices} from '../../src/worker/provisional-slices.ts';
import {slicedOutcome} from '../../src/worker/sliced-outcome.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {History, metric, T0, testStream, versionsOf, viewOf} from './closing-histories.ts';
import {type ChdbWarehouse, openChdbWarehouse} from './closing-warehouse.ts';

const skipReason = await chdbSkipReason();
const SEED = Date.now() % 1_000_000;
const STREAM = testStream('sampled');
const VIEW = viewOf({
  stream: 'sampled', experiment: 'x',
  metrics: [
    metric({key: 'score', measure: 'score'}),
    metric({key: 'errors', aggregate: 'share', status: ['timeout']}),
    metric({key: 'unit_cost', aggregate: 'ratio', numerator: 'cost', denominator: 'success', scale: 12}),
  ],
});

type Answer = {readonly at: number; readonly unit: number; readonly score: number; readonly cost: number; readonly isError: boolean; readonly rate: number};

/** Forty seconds in full, then a tenth of the units; scores are higher and errors more from then on. */
const ANSWERS: readonly Answer[] = Array.from({length: 80}, (_, tenth): Answer[] => {
  const at = tenth * 1_000;
  const isSampled = at >= 40_000;
  const units = isSampled ? [0, 1] : Array.from({length: 20}, (_unused, unit) => unit);
  return units.map(unit => ({
    at: at + unit, unit, score: isSampled ? 9 + ((tenth + unit) % 5) / 10 : 3 + ((tenth * 7 + unit) % 9) / 10,
    cost: ((tenth + 3 * unit) % 11) / 1_000, isError: (tenth + unit) % (isSampled ? 3 : 17) === 0, rate: isSampled ? 0.1 : 1,
  }));
}).flat();

function historyOf(answers: readonly Answer[]): History {
  const history = new History(STREAM);
  for (let unit = 0; unit < 20; unit++) history.append({kind: 'exposure', at: 0, unitId: `u${unit}`, variant: unit % 2 === 0 ? 'v1' : 'v2'}, {arrival: 0});
  for (const {at, unit, score, cost, isError, rate} of answers) {
    history.append({kind: 'outcome', at, unitId: `u${unit}`, measures: {score, cost}, status: isError ? 'timeout' : 'ok', sampleRate: rate}, {arrival: at});
  }
  return history;
}

/** By hand: every answer as often as it stands for. */
function byHand(variant: string, from: number, through: number) {
  const inside = ANSWERS.filter(({at, unit}) => at >= from && at < through && (unit % 2 === 0 ? 'v1' : 'v2') === variant);
  const total = (of: (answer: Answer) => number): number => inside.reduce((sum, answer) => sum + of(answer) / answer.rate, 0);
  const n = total(() => 1);
  return {
    n, score: total(({score}) => score), errors: total(({isError}) => Number(isError)), cost: total(({cost}) => cost), successes: total(({isError}) => Number(!isError)),
    plainMean: inside.reduce((sum, {score}) => sum + score, 0) / inside.length, sent: inside.length,
  };
}

describe.skipIf(skipReason !== null)('sampled outcomes count by their weight', () => {
  let harness: ChdbWarehouse;
  beforeAll(async () => {
    harness = await openChdbWarehouse();
  });
  afterAll(() => harness?.close());

  test(`weights are the same whole numbers in SQL and TypeScript (SEED=${SEED})`, async () => {
    const rng = seededRng(SEED);
    const rates = [1, 0.5, 0.1, 0.05, 1 / 3, 0.75, 1e-6, 9.999e-7, 1e-300, 5e-324, 0.999_999_7, ...Array.from({length: 8_000}, () => rng.next() ** (1 + Math.floor(rng.next() * 6)) || 1)];
    const sql = `SELECT toString(${WEIGHT_SQL}) AS weight FROM (SELECT arrayJoin({rates:Array(Float64)}) AS sample_rate)`;
    const rows = await harness.sql.select<{weight: string}>(sql, {rates});
    expect(rows.map(({weight}) => Number(weight))).toEqual(rates.map(weightOf));
    expect([weightOf(1), weightOf(0.1), weightOf(0)]).toEqual([WEIGHT_ONE, 10 * WEIGHT_ONE, 1e12]);
    for (const query of ['slices-recompute']) expect(loadQuery(query)).toContain(WEIGHT_SQL);
  });

  test('in windows, from workers and once closed: n is what was sent, the rest what it stands for', async () => {
    const {warehouse} = harness;
    const history = historyOf(ANSWERS);
    await warehouse.mirrorStream(STREAM);
    await warehouse.mirrorVersions(versionsOf(VIEW));
    await warehouse.insertFacts(history.batch());
    const slices = new ProvisionalSlices(STREAM.sliceMs, {keysMax: 10_000, keys: 0});
    const attributor = new Attributor([VIEW]);
    for (const outcome of history.outcomes) {
      const exposure = history.exposures.find(({unitId}) => unitId === outcome.unitId);
      const seen = exposure === undefined ? [] : [{experiment: 'x', phase: 1, variant: exposure.variant, eventTs: exposure.eventTs, eventId: '', isCrossover: false}];
      slices.add(slicedOutcome(outcome), attributor.attribute(outcome, seen).attributions);
    }
    await warehouse.insertProvisional('sampled', slices.changed({logEpoch: 0, partition: 0, lastOffset: 99_999n}));
    const open = await windows();
    expect(open.every(({status}) => status === 'provisional')).toBe(true);
    expectByHand(open);
    await warehouse.closeSlices({stream: STREAM, views: [VIEW], committed: history.committed(), fromSlice: epochMs(T0), throughSlice: epochMs(T0 + 80_000)});
    const closed = await windows();
    expect(closed.every(({status, window_end}) => status === (window_end <= T0 + 80_000 ? 'closed' : 'provisional'))).toBe(true);
    expectByHand(closed);
    const {mismatches, slicesChecked} = await warehouse.auditSlices({stream: STREAM, views: [VIEW], slicesMax: null});
    expect([mismatches, slicesChecked]).toEqual([[], 8]);
    // What workers showed is what facts say, for every slice by itself.
    const each = {sizeMs: STREAM.sliceMs, slideMs: STREAM.sliceMs};
    const shown = await harness.sql.select<Record<string, string>>(
      `SELECT toUnixTimestamp64Milli(slice_start) AS at, variant, metric, n, extra_weight, round(extra_sum / 1e6, 6) AS extra, round(extra_denominator_sum / 1e6, 6) AS below
       FROM provisional_slices FINAL WHERE stream = 'sampled' ORDER BY at, variant, metric`,
    );
    const counted = await harness.sql.select<Record<string, string>>(
      `SELECT toUnixTimestamp64Milli(slice_start) AS at, variant, metric, n, toFloat64(extra_weight) AS extra_weight, round(toFloat64(extra_sum_q) / exp10(scale + 6), 6) AS extra,
         round(toFloat64(extra_denominator_sum_q) / exp10(scale + 6), 6) AS below
       FROM slices FINAL WHERE stream = 'sampled' ORDER BY at, variant, metric`,
    );
    expect(shown).toEqual(counted);
    expect(shown.length).toBe(8 * 2 * 3);
    // What guards read.
    for (const row of (await windows(each)).filter(({window_end}) => window_end === T0 + 50_000)) {
      const [guarded] = (await warehouse.guardWindows('sampled', [{experiment: 'x', phase: 1, sizeMs: each.sizeMs, metrics: [row.metric], ends: [row.window_end]}])).filter(({variant}) => variant === row.variant);
      for (const name of ['n', 'estimated_n', 'sum', 'mean'] as const) expect(guarded?.[name]).toBeCloseTo(row[name], 9);
      expect(row.estimated_n).toBeCloseTo(10 * row.n, 9);
    }
  });

  const windows = ({sizeMs, slideMs} = {sizeMs: 80_000, slideMs: 20_000}): Promise<WindowRow[]> =>
    harness.warehouse.windows({stream: 'sampled', experiment: 'x', sizeMs, slideMs, from: epochMs(T0), to: epochMs(T0 + 160_000)});

  function expectByHand(rows: readonly WindowRow[]): void {
    expect(rows.length).toBeGreaterThan(20);
    for (const row of rows) {
      const wanted = byHand(row.variant, row.window_start - T0, row.window_end - T0);
      const [sum, below] = {score: [wanted.score, wanted.n], errors: [wanted.errors, wanted.n], unit_cost: [wanted.cost, wanted.successes]}[row.metric] ?? [Number.NaN, 1];
      expect(row.n).toBe(wanted.sent);
      expect(row.estimated_n).toBeCloseTo(wanted.n, 9);
      expect(row.sum).toBeCloseTo(sum as number, 9);
      expect(row.mean).toBeCloseTo((sum as number) / (below as number), 9);
    }
    // Without weights the mean would be another: the part that was sampled answers otherwise.
    const mixed = rows.find(row => row.metric === 'score' && row.window_start === T0 && row.variant === 'v1');
    expect(Math.abs((mixed?.mean ?? 0) - byHand('v1', 0, 80_000).plainMean)).toBeGreaterThan(1);
  }
});
