import {readdirSync, readFileSync} from 'node:fs';
import type {ExperimentVersion} from '../../src/core/experiment.ts';
import {evidenceText} from '../../src/guard/guard-evidence.ts';
import type {AlertRow} from '../../src/warehouse/warehouse.ts';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {epochMs} from '../../src/core/units.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {verdictAt} from '../helpers/storage-fixtures.ts';
import {History, metric, T0, testStream, versionsOf, viewOf} from './closing-histories.ts';
import {type ChdbWarehouse, openChdbWarehouse} from './closing-warehouse.ts';

const skipReason = await chdbSkipReason();
const COOKBOOK = new URL('../../sql/cookbook/', import.meta.url);
const STREAM = testStream('live');

/** 60 units in a split experiment, 10 items in a paired one, one crossover, one duplicate, one dead letter. */
function seed(): History {
  const history = new History(STREAM);
  for (let unit = 0; unit < 60; unit++) {
    const at = unit * 500;
    const variant = unit % 2 === 0 ? 'v1' : 'v2';
    const partition = unit % 3;
    history.append({kind: 'exposure', at, unitId: `u${unit}`, experiment: 'answer-model', variant}, {arrival: at, partition});
    if (unit === 7) history.append({kind: 'exposure', at: at + 1, unitId: 'u7', experiment: 'answer-model', variant: 'v1'}, {arrival: at + 1, partition});
    const measures = {score: (unit % 10) / 10 + (variant === 'v2' ? 0.25 : 0), latency_ms: 100 + unit, cost_usd: 0.125};
    const outcome = {
      kind: 'outcome', at: at + 20, unitId: `u${unit}`, serial: 1000 + unit, measures, status: unit % 5 === 0 ? 'timeout' : 'ok',
      attributes: {region: unit % 4 < 2 ? 'eu' : 'us', model_version: unit < 30 ? '2026-01' : '2026-02'},
    } as const;
    history.append(outcome, {arrival: at + 300, partition});
    if (unit === 8) history.append(outcome, {arrival: at + 301, partition});
  }
  for (let item = 0; item < 10; item++) {
    for (const variant of ['v1', 'v2']) {
      const score = variant === 'v1' ? 0.5 : 0.5 + (item % 3) / 4 - 0.25;
      history.append(
        {kind: 'outcome', at: 40_000 + item, unitId: `run-${variant}`, itemId: `item-${item}`, variantHint: {'prompt-set': variant}, measures: {score}},
        {arrival: 41_000, partition: 0},
      );
    }
  }
  return history;
}

const VIEWS = [
  viewOf({stream: 'live', experiment: 'answer-model', metrics: [metric({key: 'latency_p95', aggregate: 'p95', measure: 'latency_ms'})]}),
  viewOf({stream: 'live', experiment: 'prompt-set', design: 'paired', metrics: [metric({key: 'score', measure: 'score'})]}),
];

/** A breaker moved v2's weight to control a minute after the last exposure: what it stored. */
const EVIDENCE = {
  guard: 'breaker:0', action: 'open', variant: 'v2', metric: 'errors', value: 0.4, threshold: 0.3, n: 50, window_ms: 60_000,
  window_start: '2026-03-02T00:00:00.000Z', window_end: '2026-03-02T00:01:00.000Z', reason: 'above', at: '2026-03-02T00:01:01.000Z', phase: 1,
} as const;
function guardVersion(): ExperimentVersion {
  const [first] = VIEWS.flatMap(versionsOf);
  if (first === undefined) throw new Error('no version to follow');
  return {...first, version: 2, predecessor: 1, phase: 2, author: 'guard', reason: evidenceText(EVIDENCE), validFrom: epochMs(T0 + 3_600_000)};
}

const alertAt = (state: AlertRow['state'], second: number): AlertRow => ({
  alert_id: 'a1', stream: 'live', rule: 'slow', experiment: 'answer-model', variant: 'v2', state, severity: 'page', value: 300, threshold: 200,
  window_start: null, window_end: null, reason: 'p95 above 200', context: {}, changed_at: new Date(T0 + second * 1_000).toISOString(),
});

describe.skipIf(skipReason !== null)('the cookbook', () => {
  let harness: ChdbWarehouse;

  beforeAll(async () => {
    harness = await openChdbWarehouse();
    const {warehouse} = harness;
    const history = seed();
    await warehouse.mirrorStream(STREAM);
    await warehouse.mirrorVersions([...VIEWS.flatMap(versionsOf), guardVersion()]);
    await warehouse.insertAlerts([alertAt('pending', 60), alertAt('firing', 70), alertAt('resolved', 190)]);
    const at = {logEpoch: 0, partition: 0, offset: 5_000n, appendTs: epochMs(T0), arrivalTs: epochMs(T0)};
    const deadLetters = [{...at, lastOffset: 5_000n, code: 'undecodable' as const, message: 'no magic', key: null, value: new Uint8Array([1, 2])}];
    const arrivals = [...history.arrivals, {...at, kind: 'dead_letter' as const, idHash: 0n, payloadHash: 5n, code: 'undecodable' as const}];
    await warehouse.insertFacts({...history.batch(), deadLetters, arrivals});
    await warehouse.closeSlices({stream: STREAM, views: VIEWS, committed: [], fromSlice: epochMs(T0), throughSlice: epochMs(T0 + 60_000)});
    await warehouse.insertVerdicts([verdictAt(1, {stream: 'live', experiment: 'answer-model'})]);
  });
  afterAll(() => harness?.close());

  const ask = (sql: string) => harness.warehouse.query(sql);

  const answer = (name: string) => ask(readFileSync(new URL(name, COOKBOOK), 'utf8'));

  test.each(readdirSync(COOKBOOK))('%s runs and has an answer', async name => {
    const text = readFileSync(new URL(name, COOKBOOK), 'utf8');
    expect(text).toMatch(/^-- \S/);
    expect(text).not.toMatch(/\bFINAL\b/);
    expect((await ask(text)).length).toBeGreaterThan(0);
  });

  test('pairs: averages within (item, variant), control against variant', async () => {
    const [row] = await ask(readFileSync(new URL('win-tie-loss.sql', COOKBOOK), 'utf8'));
    expect(row).toMatchObject({variant: 'v2', pairs: 10, wins: 3, ties: 3, losses: 4});
  });

  test('the split: 30 and 29 units of equal weights are no mismatch', async () => {
    const [row] = await answer('sample-ratio-mismatch.sql');
    expect(row).toMatchObject({experiment: 'answer-model', phase: 1, all_units: 59, degrees: 1, critical: 10.828, is_mismatch: 0});
    expect(row?.['chi_square']).toBeCloseTo(1 / 59, 12);
  });

  // v1 answers in 100, 102, … 158 ms; v2 in 101, 103, … 159 without the crossover unit's 107.
  test('exact quantiles and the box plot', async () => {
    expect(await answer('p95-by-variant.sql')).toMatchObject([
      {variant: 'v1', outcomes: 30, p50_ms: 130, p95_ms: 156},
      {variant: 'v2', outcomes: 29, p50_ms: 131, p95_ms: 157},
    ]);
    expect(await answer('box-plot.sql')).toMatchObject([
      {variant: 'v1', whisker_low: 100, q1: 114, median: 130, q3: 144, whisker_high: 158, outliers: 0},
      {variant: 'v2', whisker_low: 101, median: 131, whisker_high: 159, outliers: 0},
    ]);
  });

  test('the funnel loses the timeouts, retention is of the first day', async () => {
    expect(await answer('funnel.sql')).toMatchObject([
      {variant: 'v1', exposed_units: 30, answered: 30, answered_well: 24, scored: 6},
      {variant: 'v2', exposed_units: 29, answered: 29, answered_well: 23},
    ]);
    expect(await answer('retention-after-exposure.sql')).toMatchObject([{variant: 'v1', day: 0, units_back: 30, units_exposed: 30, share: 1}, {variant: 'v2', day: 0, units_back: 29, share: 1}]);
  });

  test('drift between halves with the same scores is none', async () => {
    const [first] = await answer('drift.sql');
    expect(first).toMatchObject({variant: 'v1', older: 15, newer: 15});
    expect(first?.['d']).toBeCloseTo(0, 12);
    expect(first?.['is_drift']).toBe(0);
  });

  test('by region and model version, the planted 0.25 is everywhere within what ten scores allow', async () => {
    const rows = await answer('by-region-and-model-version.sql');
    expect(rows.map(row => [row['region'], row['model_version']])).toEqual([['eu', '2026-01'], ['eu', '2026-02'], ['us', '2026-01'], ['us', '2026-02']]);
    expect(rows.reduce((sum, row) => sum + Number(row['outcomes_control']) + Number(row['outcomes_others']), 0)).toBe(59);
  });

  test('what a guard did is read from the evidence in its version', async () => {
    const [row] = await answer('guard-history.sql');
    expect(row).toMatchObject({experiment: 'answer-model', guard: 'breaker:0', action: 'open', variant: 'v2', metric: 'errors', value: 0.4, threshold: 0.3, n: 50, window_s: 60, reason_code: 'above'});
    expect(await answer('version-history.sql')).toMatchObject([{version: 2, author: 'guard'}, {version: 1, author: 'test'}]);
  });

  test('an alert fired and was resolved two minutes later', async () => {
    expect(await answer('alert-history.sql')).toMatchObject([{rule: 'slow', alert_id: 'a1', severity: 'page', lasted_s: 120}]);
  });

  test('health: the crossover is out of the arms, shares and weights side by side', async () => {
    const rows = await ask("SELECT variant, units, units_share, weight_share, phase_crossover_units FROM v_health WHERE experiment = 'answer-model' ORDER BY variant");
    expect(rows).toMatchObject([
      {variant: 'v1', units: 30, weight_share: 0.5, phase_crossover_units: 1},
      {variant: 'v2', units: 29, weight_share: 0.5, phase_crossover_units: 1},
    ]);
  });

  test('the books balance, with the duplicate and the dead letter in their places', async () => {
    const rows = await ask('SELECT sum(accepted) AS accepted, sum(duplicate) AS duplicate, sum(dead_lettered) AS dead, sum(mismatch) AS mismatch, sum(outcomes_crossover) AS crossover FROM v_ledger');
    expect(rows).toEqual([{accepted: 141, duplicate: 1, dead: 1, mismatch: 0, crossover: 1}]);
  });

  test('a verdict comes back column by column', async () => {
    const [row] = await ask('SELECT * FROM v_verdicts');
    const given = verdictAt(1, {stream: 'live', experiment: 'answer-model'});
    for (const [name, value] of Object.entries(given)) {
      expect(Object.keys(row ?? {})).toContain(name);
      if (typeof value === 'number' && !Number.isInteger(value)) expect(row?.[name]).toBe(value);
      if (typeof value === 'string' && !/_at$|^data_/.test(name)) expect(row?.[name]).toBe(value);
    }
  });
});
