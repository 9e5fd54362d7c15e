import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {buildVerdicts} from '../../src/analyze/build-verdicts.ts';
import {loadInputs} from '../../src/analyze/load-inputs.ts';
import type {ExperimentView} from '../../src/core/experiment.ts';
import {seededRng} from '../../src/core/rng.ts';
import {WEIGHT_ONE, weightOf} from '../../src/core/sampling.ts';
import type {Stream} from '../../src/core/streams.ts';
import {epochMs} from '../../src/core/units.ts';
import type {Verdict} from '../../src/core/verdict.ts';
import {loadQuery} from '../../src/warehouse/clickhouse/query-file.ts';
import {WEIGHT_SQL} from '../../src/warehouse/clickhouse/weight-sql.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import type {Warehouse, WindowRow} from '../../src/warehouse/warehouse.ts';
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
    metric({key: 'spent', aggregate: 'total', measure: 'cost'}),
    metric({key: 'bought', aggregate: 'conversion', measure: 'bought'}),
    metric({key: 'p95', aggregate: 'p95', measure: 'score'}),
  ],
});

type Answer = {readonly at: number; readonly unit: number; readonly score: number; readonly cost: number; readonly isError: boolean; readonly isBuyer: boolean; readonly rate: number};

/** Forty seconds in full, then a tenth of the units, two of them new; scores are higher and errors more from then on. */
const NEW_UNITS = [20, 21];
const ANSWERS: readonly Answer[] = Array.from({length: 80}, (_, tenth): Answer[] => {
  const at = tenth * 1_000;
  const isSampled = at >= 40_000;
  const units = isSampled ? [0, 1, ...NEW_UNITS] : Array.from({length: 20}, (_unused, unit) => unit);
  return units.map(unit => ({
    at: at + unit, unit, score: isSampled ? 9 + ((tenth + unit) % 5) / 10 : 3 + ((tenth * 7 + unit) % 9) / 10,
    cost: ((tenth + 3 * unit) % 11) / 1_000, isError: (tenth + unit) % (isSampled ? 3 : 17) === 0, rate: isSampled ? 0.1 : 1,
    isBuyer: isSampled ? unit === 0 || unit === 21 : unit % 5 === 2,
  }));
}).flat();

/** @param rateOf what events say; by default what they were drawn at */
function historyOf(answers: readonly Answer[], stream = STREAM, rateOf = (rate: number): number => rate, exposedAt = rateOf): History {
  const history = new History(stream);
  for (let unit = 0; unit < 20; unit++) history.append({kind: 'exposure', at: 0, unitId: `u${unit}`, variant: unit % 2 === 0 ? 'v1' : 'v2', sampleRate: exposedAt(1)}, {arrival: 0});
  for (const {at, unit, score, cost, isError, isBuyer, rate} of answers) {
    if (at === 40_000) for (const one of NEW_UNITS) history.append({kind: 'exposure', at: 39_999, unitId: `u${one}`, variant: one % 2 === 0 ? 'v1' : 'v2', sampleRate: exposedAt(0.1)}, {arrival: 39_999});
    history.append({kind: 'outcome', at, unitId: `u${unit}`, measures: {score, cost, ...(isBuyer ? {bought: 1} : {})}, status: isError ? 'timeout' : 'ok', sampleRate: rateOf(rate)}, {arrival: at});
  }
  return history;
}

async function filled(warehouse: Warehouse, history: History, stream = STREAM): Promise<Warehouse> {
  await warehouse.mirrorStream(stream);
  await warehouse.mirrorVersions(versionsOf({...VIEW, stream: stream.name}));
  await warehouse.insertFacts(history.batch());
  return warehouse;
}

async function verdictsOf(warehouse: Warehouse, stream: Stream, view: ExperimentView): Promise<Verdict[]> {
  const inputs = await loadInputs(warehouse, {stream: stream.name, view, phase: 1, cut: epochMs(T0 + 200_000)});
  const versions = {assay: '0', node: '0', engine: '0'};
  return buildVerdicts(inputs, {createdAt: epochMs(T0), versions, audit: {mismatch: 0, slices_checked: 8, checked_at: null}, previousDecision: () => null});
}

/** By hand: every answer as often as it stands for. */
function byHand(variant: string, from: number, through: number) {
  const inside = ANSWERS.filter(({at, unit}) => at >= from && at < through && (unit % 2 === 0 ? 'v1' : 'v2') === variant);
  const total = (of: (answer: Answer) => number): number => inside.reduce((sum, answer) => sum + of(answer) / answer.rate, 0);
  const n = total(() => 1);
  const scores = inside.flatMap(({score, rate}) => Array.from({length: Math.round(1 / rate)}, () => score)).sort((a, b) => a - b);
  const least = new Map<number, number>();
  for (const {unit, isBuyer, rate} of inside) if (isBuyer) least.set(unit, Math.min(1 / rate, least.get(unit) ?? Number.POSITIVE_INFINITY));
  return {
    scores, n, score: total(({score}) => score), errors: total(({isError}) => Number(isError)), cost: total(({cost}) => cost), successes: total(({isError}) => Number(!isError)),
    buyers: [...least.values()].reduce((sum, units) => sum + units, 0),
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
    for (const query of ['slices-recompute', 'analysis-units-met', 'analysis-outcomes-split', 'analysis-outcomes-paired']) expect(loadQuery(query)).toContain(WEIGHT_SQL);
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
      const sliced = slicedOutcome(outcome);
      slices.add(sliced, attributor.attribute(sliced, seen).attributions);
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
      `SELECT toUnixTimestamp64Milli(slice_start) AS at, variant, metric, n, extra_weight, round(extra_sum / 1e6, 6) AS extra, round(extra_denominator_sum / 1e6, 6) AS below,
         mapKeys(mapSort(extra_buckets)) AS sampled, mapValues(mapSort(extra_buckets)) AS weights, mapValues(mapSort(extra_squares)) AS squares
       FROM provisional_slices FINAL WHERE stream = 'sampled' ORDER BY at, variant, metric`,
    );
    const counted = await harness.sql.select<Record<string, string>>(
      `SELECT toUnixTimestamp64Milli(slice_start) AS at, variant, metric, n, toFloat64(extra_weight) AS extra_weight, round(toFloat64(extra_sum_q) / exp10(scale + 6), 6) AS extra,
         round(toFloat64(extra_denominator_sum_q) / exp10(scale + 6), 6) AS below,
         mapKeys(extra_buckets) AS sampled, arrayMap(w -> toFloat64(w), mapValues(extra_buckets)) AS weights, arrayMap(w -> toFloat64(w), mapValues(extra_squares)) AS squares
       FROM slices FINAL WHERE stream = 'sampled' ORDER BY at, variant, metric`,
    );
    expect(shown).toEqual(counted);
    expect(shown.length).toBeGreaterThan(8 * 2 * 3);
    // What guards read.
    for (const row of (await windows(each)).filter(({window_end}) => window_end === T0 + 50_000)) {
      const [guarded] = (await warehouse.guardWindows('sampled', [{experiment: 'x', phase: 1, sizeMs: each.sizeMs, metrics: [row.metric], ends: [row.window_end]}])).filter(({variant}) => variant === row.variant);
      for (const name of ['n', 'estimated_n', 'sum', 'mean', 'p50', 'p95', 'p99'] as const) expect(guarded?.[name]).toBeCloseTo(row[name], 9);
      expect(row.estimated_n).toBeCloseTo(10 * row.n, 9);
    }
  }, 120_000);

  test('in verdicts: means, shares, ratios, totals and conversions are the weighted ones, and the SQL beside them says so', async () => {
    const [rows, memory] = await Promise.all([verdictsOf(harness.warehouse, STREAM, VIEW), filled(openMemoryWarehouse(), historyOf(ANSWERS)).then(one => verdictsOf(one, STREAM, VIEW))]);
    // The same bytes from other sums of the same facts.
    const said = (verdicts: readonly Verdict[]) => verdicts.map(({sql: _, evidence_digest: _digest, verdict_id: _id, ...rest}) => rest);
    expect(said(rows)).toEqual(said(memory));
    for (const [arm, variant] of [['mean_control', 'v1'], ['mean_variant', 'v2']] as const) {
      const hand = byHand(variant, 0, 80_000);
      const mean = (key: string): number => rows.find(({metric: of}) => of === key)?.[arm] ?? Number.NaN;
      expect(mean('score')).toBeCloseTo(hand.score / hand.n, 9);
      expect(mean('errors')).toBeCloseTo(hand.errors / hand.n, 9);
      expect(mean('unit_cost')).toBeCloseTo(hand.cost / hand.successes, 9);
      // Ten units that were exposed in full, and one that stands for ten.
      expect(mean('spent')).toBeCloseTo(hand.cost / 20, 9);
      expect(mean('bought')).toBeCloseTo(hand.buyers / 20, 9);
      expect(Math.abs(mean('score') - hand.plainMean)).toBeGreaterThan(1);
      const [own] = rows[0]?.arms.filter(one => one.variant === variant) ?? [];
      expect(own).toMatchObject({units: 11, outcomes: hand.sent, estimated_units: 20});
      expect(own?.estimated_outcomes).toBeCloseTo(hand.n, 9);
      for (const key of ['score', 'errors', 'unit_cost']) {
        const explained = await harness.sql.select<{variant: string; mean: number; estimated_outcomes: number}>(rows.find(({metric: of}) => of === key)?.sql ?? '');
        expect(explained.find(row => row.variant === variant)?.mean).toBeCloseTo(mean(key), 9);
      }
    }
    for (const {metric, reasons, analysis, tests} of rows) {
      expect(reasons).toContain('rates_mixed');
      expect(analysis['sampling']).toBe('several_rates');
      if (metric !== 'p95') expect(tests.every(({status}) => status === 'ok')).toBe(true);
    }
    expect(rows.find(({metric: of}) => of === 'score')?.tests.map(({test: name, details}) => [name, details?.['method'], details?.['unit_means']])).toEqual([['welch-t', 'weighted-delta', undefined], ['mann-whitney-u', 'weighted-places', undefined]]);
    const p95 = rows.find(({metric: of}) => of === 'p95');
    // Four of the eleven units weigh nearly all: the ninety-fifth per cent is beyond what they tell.
    expect(p95?.tests[0]).toMatchObject({test: 'quantile-difference', status: 'not-computable', reason: expect.stringContaining('insufficient_data: a has 11 units'), details: {weighted: true, clustered: 'by-unit'}});
    for (const [arm, variant] of [['mean_control', 'v1'], ['mean_variant', 'v2']] as const) {
      const hand = byHand(variant, 0, 80_000);
      const quantile = (p: number): number | undefined => hand.scores[Math.ceil(p * hand.scores.length) - 1];
      expect(p95?.[arm]).toBe(quantile(0.95));
      expect(p95?.arms.find(one => one.variant === variant)).toMatchObject({p25: quantile(0.25), p50: quantile(0.5), p75: quantile(0.75), p95: quantile(0.95), p99: quantile(0.99)});
      const [explained] = (await harness.sql.select<{variant: string; quantile: number}>(p95?.sql ?? '')).filter(row => row.variant === variant);
      expect(explained?.quantile).toBe(p95?.[arm]);
    }
    // Every outcome as often as it stands for, against every one of the other arm.
    const [control, treated] = [byHand('v1', 0, 80_000).scores, byHand('v2', 0, 80_000).scores];
    const won = treated.reduce((sum, x) => sum + control.reduce((wins, y) => wins + (x > y ? 1 : x === y ? 0.5 : 0), 0), 0) / control.length / treated.length;
    expect(rows.find(({metric: of}) => of === 'score')?.tests[1]?.details?.['common_language']).toBeCloseTo(won, 12);
  }, 120_000);

  test('one rate for all cancels: tests say what they say unsampled, counts stand for ten times as many, and at rate 1 nothing is added', async () => {
    const verdictsAt = async (name: string, rate: number, exposedAt = rate): Promise<Verdict[]> => {
      const stream = testStream(name);
      const view = {...VIEW, stream: name};
      const warehouse = await filled(harness.warehouse, historyOf(ANSWERS, stream, () => rate, () => exposedAt), stream);
      return verdictsOf(warehouse, stream, view);
    };
    const [full, tenth] = [await verdictsAt('full', 1), await verdictsAt('tenth', 0.1)];
    // Outcomes that another experiment wants in full count for the units of the sample alone.
    const beside = await verdictsAt('beside', 1, 0.1);
    const plain = (rows: readonly Verdict[]) => rows.map(({stream: _, sql: _sql, verdict_id: _id, evidence_digest: _digest, ...rest}) => rest);
    expect(JSON.stringify(full)).not.toMatch(/estimated|sampling|rates_mixed|weighted/);
    expect(plain(tenth).map(({arms, analysis: {sampling, ...analysis}, ...rest}) => {
      expect(sampling).toBe('one_rate');
      for (const arm of arms) expect([arm.estimated_units, arm.estimated_outcomes]).toEqual([10 * arm.units, 10 * arm.outcomes]);
      return {...rest, analysis, arms: arms.map(({estimated_units: _units, estimated_outcomes: _outcomes, ...arm}) => arm)};
    })).toEqual(plain(full));
    expect(plain(beside)).toEqual(plain(tenth));
  }, 120_000);

  const windows = ({sizeMs, slideMs} = {sizeMs: 80_000, slideMs: 20_000}): Promise<WindowRow[]> =>
    harness.warehouse.windows({stream: 'sampled', experiment: 'x', sizeMs, slideMs, from: epochMs(T0), to: epochMs(T0 + 160_000)});

  function expectByHand(rows: readonly WindowRow[]): void {
    expect(rows.length).toBeGreaterThan(20);
    for (const row of rows) {
      const wanted = byHand(row.variant, row.window_start - T0, row.window_end - T0);
      if (row.metric === 'bought') continue;
      const byMetric = {score: wanted.score, p95: wanted.score, errors: wanted.errors, unit_cost: wanted.cost, spent: wanted.cost};
      const sum = byMetric[row.metric as keyof typeof byMetric];
      const below = row.metric === 'unit_cost' ? wanted.successes : wanted.n;
      expect(row.n).toBe(wanted.sent);
      expect(row.estimated_n).toBeCloseTo(wanted.n, 9);
      expect(row.sum).toBeCloseTo(sum, 9);
      expect(row.mean).toBeCloseTo(sum / below, 9);
      if (row.metric !== 'score') continue;
      const quantile = (p: number): number => wanted.scores[Math.min(wanted.scores.length - 1, Math.floor(p * wanted.scores.length))] ?? Number.NaN;
      for (const [shown, p] of [[row.p50, 0.5], [row.p95, 0.95], [row.p99, 0.99]] as const) expect(Math.abs(shown / quantile(p) - 1)).toBeLessThan(0.011);
    }
    // Without weights the mean would be another: the part that was sampled answers otherwise.
    const mixed = rows.find(row => row.metric === 'score' && row.window_start === T0 && row.variant === 'v1');
    expect(Math.abs((mixed?.mean ?? 0) - byHand('v1', 0, 80_000).plainMean)).toBeGreaterThan(1);
    const asSent = ANSWERS.filter(({unit}) => unit % 2 === 0).map(({score}) => score).sort((a, b) => a - b);
    expect(mixed?.p50).toBeGreaterThan(2 * (asSent[Math.floor(asSent.length / 2)] ?? 0));
  }
});
