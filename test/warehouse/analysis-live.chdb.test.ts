import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {FactBatch} from '../../src/core/facts.ts';
import {hasDistribution} from '../../src/core/experiment.ts';
import {epochMs} from '../../src/core/units.ts';
import {ClickHouseAnalysisStore} from '../../src/warehouse/clickhouse/analysis-store.ts';
import type {SqlConnection, SqlParams} from '../../src/warehouse/clickhouse/connection.ts';
import {seededRng} from '../../src/core/rng.ts';
import type {AnalysisScope, AnalysisStore, Warehouse} from '../../src/warehouse/warehouse.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {type History, METRICS, metric, randomHistory, T0, testStream, versionsOf, viewOf} from './closing-histories.ts';
import {type ChdbWarehouse, openChdbWarehouse} from './closing-warehouse.ts';

const skipReason = await chdbSkipReason();
const METRICS_SEEN = [...METRICS, metric({key: 'p95', aggregate: 'p95', measure: 'score'})];
const CUTS = [20_000, 21_000, 45_000, 46_000, 47_000, 80_000, 120_000, 150_000, 200_000].map(at => epochMs(T0 + at));

describe.skipIf(skipReason !== null)('a verdict brought up to date', () => {
  let harness: ChdbWarehouse;
  beforeAll(async () => {
    harness = await openChdbWarehouse();
  });
  afterAll(() => harness?.close());

  test.each([[31, 1], [32, 2], [33, 1], [34, 2]])('says what a recount says, after each of nine looks at random history %i, phase %i', async (seed, phase) => {
    const {warehouse} = harness;
    const {history, scopeAt} = await begin(warehouse, seed);
    for (const [look, cut] of CUTS.entries()) {
      await warehouse.insertFacts(batchOf(history, CUTS[look - 1] ?? 0, cut));
      // Copies of what is known, as a restarted worker writes them.
      if (look % 3 === 2) await warehouse.insertFacts(batchOf(history, 0, CUTS[look - 1] ?? 0));
      await expectSame(warehouse, scopeAt(cut, phase));
    }
  }, 240_000);

  test('only what is new is read: one workspace goes from look to look, in steps', async () => {
    const {warehouse, sql} = harness;
    const {history, scopeAt} = await begin(warehouse, 41);
    await warehouse.insertFacts(history.batch());
    const known = await workspacesOf(sql);
    for (const cut of CUTS) {
      const scope = scopeAt(cut, 1);
      await warehouse.prepare(scope, {live: true});
      await warehouse.release(scope);
    }
    const made = (await workspacesOf(sql)).filter(({workspace}) => !known.some(one => one.workspace === workspace));
    expect(made).toHaveLength(1);
    expect(made[0]?.steps).toBeGreaterThan(2);
  }, 120_000);

  test('a forgotten unit is gone at the next look', async () => {
    const {warehouse} = harness;
    const {history, scopeAt} = await begin(warehouse, 42);
    await warehouse.insertFacts(history.batch());
    await expectSame(warehouse, scopeAt(CUTS[3] ?? epochMs(0), 1));
    const {stream} = scopeAt(epochMs(0), 1);
    await warehouse.writeTombstone({stream, unitId: 'u2', reason: 'asked'});
    await expectSame(warehouse, scopeAt(CUTS[5] ?? epochMs(0), 1));
  }, 120_000);

  test.each<[number, string, (text: string, params: SqlParams) => string | null]>([
    [51, 'outcomes of a unit whose exposures changed are not taken back', (text, {sign}) => (sign === -1 && text.includes('INSERT INTO analysis_answers') ? null : text)],
    [52, 'units are counted as they are without the ones they replace', text => text.replace('WHERE sign = 1 OR is_known', 'WHERE sign = 1')],
    [53, 'a unit is not counted again with its first outcome', text => text.replace('WHERE before != after', 'WHERE 0')],
    [54, 'sums of replaced rows stay', text => text.replace('if(step = {step:UInt32}, 1, -1) AS sign', '1 AS sign')],
  ])('a planted bug shows in random histories (%i: %s)', async (seed, _, change) => {
    const {warehouse, sql} = harness;
    const {history, scopeAt} = await begin(warehouse, seed);
    await warehouse.insertFacts(history.batch());
    const wrong = planted(sql, change);
    const looks = async (store: AnalysisStore): Promise<void> => {
      for (const cut of CUTS) await expectSame(store, scopeAt(cut, 1));
    };
    await expect(looks(wrong)).rejects.toThrow(/deeply equal|counted before/);
  }, 240_000);

  test('a fact that comes in under a cut already looked at is a difference that the comparison sees', async () => {
    const {warehouse} = harness;
    const {history, scopeAt} = await begin(warehouse, 43);
    const [early, late] = [CUTS[3] ?? epochMs(0), CUTS[5] ?? epochMs(0)];
    const hidden = history.outcomes.filter(({arrival}) => arrival.arrivalTs <= early).slice(-40);
    const batch = history.batch();
    await warehouse.insertFacts({...batch, outcomes: history.outcomes.filter(outcome => !hidden.includes(outcome))});
    await expectSame(warehouse, scopeAt(early, 1));
    await warehouse.insertFacts({...batch, exposures: [], arrivals: [], outcomes: hidden});
    await expect(expectSame(warehouse, scopeAt(late, 1))).rejects.toThrow();
  }, 120_000);
});

/** A store whose statements are changed on their way to the engine; null leaves a statement out. */
function planted(sql: SqlConnection, change: (text: string, params: SqlParams) => string | null): AnalysisStore {
  const changed: SqlConnection = {
    select: (text, params, settings) => sql.select(change(text, params ?? {}) ?? text, params, settings),
    command: async (text, params, settings) => {
      const other = change(text, params ?? {});
      if (other !== null) await sql.command(other, params, settings);
    },
    selectText: (text, params, settings) => sql.selectText(text, params, settings),
    saveParquet: (text, path, settings) => sql.saveParquet(text, path, settings),
    insertRowBinary: (table, columns, rows, count) => sql.insertRowBinary(table, columns, rows, count),
    insertNative: (table, columns, block, count) => sql.insertNative(table, columns, block, count),
    close: () => sql.close(),
  };
  return new ClickHouseAnalysisStore(changed);
}

/** Workspaces there are, and of how many steps rows are in them. */
const workspacesOf = (sql: SqlConnection) =>
  sql.select<{workspace: string; steps: number}>('SELECT workspace, toUInt32(uniqExact(step)) AS steps FROM analysis_totals GROUP BY workspace');

async function begin(warehouse: Warehouse, seed: number) {
  const stream = testStream(`live${seed}`);
  const view = viewOf({stream: stream.name, experiment: 'x', metrics: METRICS_SEEN, phaseStarts: [T0 - 1_000, T0 + 40_000]});
  await warehouse.mirrorStream(stream);
  await warehouse.mirrorVersions(versionsOf(view));
  const history = randomHistory(stream, seed + Math.floor(seededRng(seed).next() * 1_000));
  const scopeAt = (cut: AnalysisScope['cut'], phase: number): AnalysisScope => ({stream: stream.name, view, phase, cut});
  return {history, scopeAt};
}

/** What arrived in (since, through]. */
function batchOf(history: History, since: number, through: number): FactBatch {
  const isIn = ({arrivalTs}: {readonly arrivalTs: number}): boolean => arrivalTs > since && arrivalTs <= through;
  const batch = history.batch();
  return {
    ...batch,
    exposures: history.exposures.filter(({arrival}) => isIn(arrival)),
    outcomes: history.outcomes.filter(({arrival}) => isIn(arrival)),
    arrivals: history.arrivals.filter(isIn),
  };
}

async function expectSame(warehouse: AnalysisStore, scope: AnalysisScope): Promise<void> {
  // Two objects, so that neither is answered from the other's workspace.
  const [live, fresh] = [scope, {...scope}];
  await warehouse.prepare(live, {live: true});
  await warehouse.prepare(fresh);
  try {
    expect(await answersOf(warehouse, live)).toEqual(await answersOf(warehouse, fresh));
  } finally {
    await warehouse.release(live);
    await warehouse.release(fresh);
  }
}

async function answersOf(warehouse: AnalysisStore, scope: AnalysisScope) {
  const answers: unknown[] = [await warehouse.exposureCounts(scope)];
  for (const one of scope.view.definition.metrics) {
    answers.push(await warehouse.armTotals(scope, one));
    if (!hasDistribution(one)) continue;
    answers.push(await warehouse.weightedSums(scope, one, {at: {v1: 2, v2: 3}}), await warehouse.weightedSums(scope, one, {control: 'v1', variant: 'v2'}));
    for (const per of ['outcome', 'unit'] as const) answers.push(await warehouse.valueGroups(scope, one, {per, listedMax: 10_000}));
  }
  return answers;
}
