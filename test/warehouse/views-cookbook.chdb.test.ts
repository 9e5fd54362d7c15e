import {readdirSync, readFileSync} from 'node:fs';
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
      attributes: {region: unit % 4 < 2 ? 'eu' : 'us'},
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

describe.skipIf(skipReason !== null)('the cookbook', () => {
  let harness: ChdbWarehouse;

  beforeAll(async () => {
    harness = await openChdbWarehouse();
    const {warehouse} = harness;
    const history = seed();
    await warehouse.mirrorStream(STREAM);
    await warehouse.mirrorVersions(VIEWS.flatMap(versionsOf));
    const at = {logEpoch: 0, partition: 0, offset: 5_000n, appendTs: epochMs(T0), arrivalTs: epochMs(T0)};
    const deadLetters = [{...at, lastOffset: 5_000n, code: 'undecodable' as const, message: 'no magic', key: null, value: new Uint8Array([1, 2])}];
    const arrivals = [...history.arrivals, {...at, kind: 'dead_letter' as const, idHash: 0n, payloadHash: 5n, code: 'undecodable' as const}];
    await warehouse.insertFacts({...history.batch(), deadLetters, arrivals});
    await warehouse.closeSlices({stream: STREAM, views: VIEWS, committed: [], fromSlice: epochMs(T0), throughSlice: epochMs(T0 + 60_000)});
    await warehouse.insertVerdicts([verdictAt(1, {stream: 'live', experiment: 'answer-model'})]);
  });
  afterAll(() => harness?.close());

  const ask = (sql: string) => harness.warehouse.query(sql);

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
