import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {hasDistribution, type Metric} from '../../src/core/experiment.ts';
import {seededRng} from '../../src/core/rng.ts';
import {epochMs} from '../../src/core/units.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import type {ValueGroups} from '../../src/warehouse/value-groups.ts';
import type {AnalysisScope, Warehouse} from '../../src/warehouse/warehouse.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {METRICS, metric, randomHistory, T0, testStream, versionsOf, viewOf} from './closing-histories.ts';
import {type ChdbWarehouse, openChdbWarehouse} from './closing-warehouse.ts';

const skipReason = await chdbSkipReason();
const VALUE: Metric = metric({key: 'value', measure: 'score', attributionMs: 20_000});

describe.skipIf(skipReason !== null)('analysis in SQL equals analysis by plain loops', () => {
  let harness: ChdbWarehouse;
  beforeAll(async () => {
    harness = await openChdbWarehouse();
  });
  afterAll(() => harness?.close());

  test.each([11, 12, 13])('random history %i', async seed => {
    const stream = testStream(`a${seed}`);
    const weighedBefore = weighedScopes;
    const history = randomHistory(stream, seed);
    const split = viewOf({stream: stream.name, experiment: 'x', metrics: [VALUE, ...METRICS], phaseStarts: [T0 - 1_000, T0 + 40_000]});
    const paired = viewOf({stream: stream.name, experiment: 'p', design: 'paired', metrics: [VALUE, ...METRICS], phaseStarts: [T0 - 1_000, T0 + 70_000]});
    const memory: Warehouse = openMemoryWarehouse();
    for (const warehouse of [memory, harness.warehouse]) {
      await warehouse.mirrorStream(stream);
      await warehouse.mirrorVersions([split, paired].flatMap(versionsOf));
      await warehouse.insertFacts(history.batch());
    }
    for (const view of [split, paired]) {
      for (const cut of [epochMs(T0 + 60_000), epochMs(T0 + 400_000)]) {
        const about = {stream: stream.name, view, cut};
        const phase = await harness.warehouse.newestPhase(about);
        expect(phase).toBe(await memory.newestPhase(about));
        for (const scope of [1, 2].map((of): AnalysisScope => ({...about, phase: of}))) await compareScope(memory, harness.warehouse, scope);
      }
    }
    // Odd seeds are sampled at several rates.
    expect(weighedScopes > weighedBefore).toBe(seed % 2 === 1);
    expect(await harness.warehouse.offsetsUnder(stream.name, epochMs(T0 + 60_000))).toEqual(await memory.offsetsUnder(stream.name, epochMs(T0 + 60_000)));
    expect(await harness.warehouse.measuresSeen(stream.name, 'x')).toEqual(await memory.measuresSeen(stream.name, 'x'));
  }, 120_000);

  test.each([51, 52])('a stream with one experiment and no crossovers, where all outcomes are counted at once, random history %i', async seed => {
    const stream = testStream(`alone${seed}`);
    const view = viewOf({stream: stream.name, experiment: 'x', metrics: [VALUE, ...METRICS]});
    const history = randomHistory(stream, seed);
    const arms = new Map<string, string>();
    const exposures = history.exposures
      .filter(({experiment, phase, reason}) => experiment === 'x' && phase === 1 && reason === 'assigned')
      .filter(({unitId, variant}) => {
        if (!arms.has(unitId)) arms.set(unitId, variant);
        return arms.get(unitId) === variant;
      });
    const memory: Warehouse = openMemoryWarehouse();
    for (const warehouse of [memory, harness.warehouse]) {
      await warehouse.mirrorStream(stream);
      await warehouse.mirrorVersions(versionsOf(view));
      await warehouse.insertFacts({...history.batch(), exposures});
    }
    for (const cut of [epochMs(T0 + 60_000), epochMs(T0 + 400_000)]) {
      const scope: AnalysisScope = {stream: stream.name, view, phase: 1, cut};
      await compareScope(memory, harness.warehouse, scope);
      const {outcomesUnattributed} = await memory.exposureCounts(scope);
      expect(outcomesUnattributed).toBeGreaterThan(0);
      await harness.warehouse.prepare(scope);
      const [kept] = await harness.sql.select<{kept: string}>('SELECT (SELECT count() FROM analysis_answers WHERE arm = 0) + (SELECT sum(left_out) FROM analysis_recounts) AS kept');
      expect(Number(kept?.kept)).toBe(outcomesUnattributed);
      await harness.warehouse.release(scope);
    }
  }, 120_000);

  test.each([21, 22])('means of units whose sums are larger than a double counts, random history %i', async seed => {
    const stream = testStream(`large${seed}`);
    const rng = seededRng(seed);
    const history = randomHistory(stream, seed);
    const large = {...history.batch(), outcomes: history.outcomes.map(outcome => ({...outcome, measures: {...outcome.measures, score: (rng.next() - 0.5) * 10 ** (rng.next() * 15)}}))};
    const metrics = [0, 6, 9, 12].map(scale => metric({key: `at${scale}`, measure: 'score', scale}));
    const view = viewOf({stream: stream.name, experiment: 'x', metrics});
    const memory: Warehouse = openMemoryWarehouse();
    for (const warehouse of [memory, harness.warehouse]) {
      await warehouse.mirrorStream(stream);
      await warehouse.mirrorVersions(versionsOf(view));
      await warehouse.insertFacts(large);
    }
    const scope = {stream: stream.name, view, phase: 1, cut: epochMs(T0 + 400_000)};
    for (const one of metrics) {
      const groups = await memory.valueGroups(scope, one, {per: 'unit', listedMax: LISTED_MAX});
      expect(groups.values.some(value => Math.abs(value) * 10 ** one.scale > Number.MAX_SAFE_INTEGER)).toBe(one.scale > 0);
      expect(await harness.warehouse.valueGroups(scope, one, {per: 'unit', listedMax: LISTED_MAX})).toEqual(groups);
    }
  });

  test('the SQL of a metric can be run and gives its sums', async () => {
    const stream = testStream('explain');
    const view = viewOf({stream: stream.name, experiment: 'x', phaseStarts: [T0 - 1_000, T0 + 40_000]});
    await harness.warehouse.mirrorVersions(versionsOf(view));
    await harness.warehouse.insertFacts(randomHistory(stream, 3).batch());
    const scope = {stream: stream.name, view, phase: 1, cut: epochMs(T0 + 400_000)};
    for (const one of [...METRICS, metric({key: 'p95', aggregate: 'p95', measure: 'score'})]) {
      const rows = await harness.sql.select<{variant: string; outcomes: string}>(harness.warehouse.explainSql(scope, one));
      const totals = await harness.warehouse.armTotals(scope, one);
      const withData = totals.filter(({outcomes}) => outcomes > 0);
      expect(rows.map(({variant, outcomes}) => [variant, Number(outcomes)])).toEqual(withData.map(({variant, outcomes}) => [variant, outcomes]));
    }
  });
});

const LISTED_MAX = 1_000;
let weighedScopes = 0;

async function compareScope(memory: Warehouse, sql: Warehouse, scope: AnalysisScope): Promise<void> {
  await sql.prepare(scope);
  expect(await memory.exposureCounts(scope)).toEqual(await sql.exposureCounts(scope));
  const {metrics} = scope.view.definition;
  for (const one of metrics) expect(await sql.armTotals(scope, one)).toEqual(await memory.armTotals(scope, one));
  const outcomes = {per: 'outcome', listedMax: LISTED_MAX} as const;
  const units = {per: 'unit', listedMax: LISTED_MAX} as const;
  for (const one of metrics.filter(hasDistribution)) expect(await sql.valueGroups(scope, one, outcomes)).toEqual(await memory.valueGroups(scope, one, outcomes));
  for (const one of metrics) {
    const all = await memory.valueGroups(scope, one, units);
    expect(await sql.valueGroups(scope, one, units)).toEqual(all);
    // A list cut short has its first values whole, in every arm.
    expect(await sql.valueGroups(scope, one, {...units, listedMax: 2})).toEqual(firstOf(all, 3));
  }
  // Listed, and as rank sums.
  for (const listedMax of scope.view.definition.design === 'paired' ? [LISTED_MAX, 2] : []) {
    const of = {control: 'v1', variant: 'v2', listedMax};
    for (const one of metrics) expect(await sql.pairGroups(scope, one, of)).toEqual(await memory.pairGroups(scope, one, of));
  }
  for (const one of metrics.filter(hasDistribution)) await compareWeighted(memory, sql, {scope, one});
  for (const warehouse of [sql, memory]) await expectHalves(warehouse, scope);
  await sql.release(scope);
}

/** Arms without any of them are not there. */
function firstOf({values, counts}: ValueGroups, count: number): ValueGroups {
  const first = Object.entries(counts).map(([arm, column]) => [arm, column.slice(0, count)] as const);
  return {values: values.slice(0, count), counts: Object.fromEntries(first.filter(([, column]) => column.some(n => n > 0)))};
}

/** Where events have several weights: shares at a value of each arm's own, and places in both directions. */
async function compareWeighted(memory: Warehouse, sql: Warehouse, {scope, one}: {readonly scope: AnalysisScope; readonly one: Metric}): Promise<void> {
  const totals = await memory.armTotals(scope, one);
  if (!totals.some(({sampling}) => sampling?.mixed !== null && sampling?.mixed !== undefined)) return;
  weighedScopes += 1;
  const groups = await memory.valueGroups(scope, one, {per: 'outcome', listedMax: LISTED_MAX});
  const at = Object.fromEntries(totals.map(({variant}, arm) => [variant, groups.values[Math.floor((groups.values.length * (arm + 1)) / 4)] ?? 0]));
  const shares = await memory.weightedSums(scope, one, {at});
  expect(await sql.weightedSums(scope, one, {at})).toEqual(shares);
  for (const of of [{control: 'v1', variant: 'v2'}, {control: 'v2', variant: 'v1'}]) {
    expect(await sql.weightedSums(scope, one, of)).toEqual(await memory.weightedSums(scope, one, of));
  }
  for (const {variant, units, weight} of shares) {
    const arm = totals.find(total => total.variant === variant);
    expect([units, weight]).toEqual([arm?.unitsWithOutcome, arm?.denominatorQ]);
  }
}

/** Both halves of a relabelled arm are the arm, and they are not always the same ones. */
async function expectHalves(warehouse: Warehouse, scope: AnalysisScope): Promise<void> {
  if (scope.view.definition.design === 'paired') return;
  const halves = await warehouse.relabelledArms(scope, {variant: 'v1', relabellings: 70, unitsMax: 1_000});
  for (const one of scope.view.definition.metrics) {
    const whole = (await warehouse.armTotals(scope, one)).find(({variant}) => variant === 'v1');
    const own = halves.filter(({metric: key}) => key === one.key);
    for (let relabelling = 0; relabelling < 70; relabelling += 1) {
      const both = own.filter(half => half.relabelling === relabelling).map(({totals}) => totals);
      expect(both.reduce((sum, {units}) => sum + units, 0)).toBe(whole?.units ?? 0);
      expect(both.reduce((sum, {sumQ}) => sum + sumQ, 0n)).toBe(whole?.sumQ ?? 0n);
      expect(both.reduce((sum, {unitCrossQ}) => sum + unitCrossQ, 0n)).toBe(whole?.unitCrossQ ?? 0n);
    }
    if ((whole?.units ?? 0) > 3) expect(new Set(own.filter(({half}) => half === 0).map(({totals}) => totals.sumQ)).size).toBeGreaterThan(whole?.sumQ === 0n ? 0 : 1);
  }
}
