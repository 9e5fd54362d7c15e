import {readdirSync, readFileSync} from 'node:fs';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {hasDistribution} from '../../src/core/experiment.ts';
import type {ProvisionalSlice} from '../../src/core/slices.ts';
import {durationMs, type EpochMs, epochMs} from '../../src/core/units.ts';
import {loadQuery} from '../../src/warehouse/clickhouse/query-file.ts';
import type {AlertRow, AnalysisScope, DeliveryRow, Warehouse} from '../../src/warehouse/warehouse.ts';
import {openRecordHasher} from '../../src/worker/record-hasher.ts';
import {chdbSkipReason} from '../helpers/chdb-engine.ts';
import {openShardedWarehouse} from '../helpers/sharded-engine.ts';
import {START, verdictAt} from '../helpers/storage-fixtures.ts';
import {METRICS, metric, randomHistory, SLICE_MS, T0, testStream, versionsOf, viewOf} from './closing-histories.ts';
import {type ChdbWarehouse, openChdbWarehouse} from './closing-warehouse.ts';

const skipReason = await chdbSkipReason();
const QUERIES = new URL('../../sql/queries/', import.meta.url);
const COOKBOOK = new URL('../../sql/cookbook/', import.meta.url);
/** Sampled at several rates: the queries of both kinds are asked. */
const PLAIN = 22;
const SAMPLED = 23;
const CUT = epochMs(T0 + 400_000 - 1);

/** Rows may come in any order where nobody asked for one. */
function canonical(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (value instanceof Map || value instanceof Set) return canonical([...value]);
  if (Array.isArray(value)) return value.map(canonical).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, canonical(one)]));
}

/** The cookbook's averages are of doubles, whose sum depends on the order they come in. */
const rounded = (row: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, typeof value === 'number' ? Number(value.toPrecision(9)) : value]));

/** Without the extreme values that differences of doubles vanish in. */
const calm = (measures: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(measures).map(([name, value]) => [name, Math.abs(value) > 100 ? 1 : value]));

async function listOf<Row>(batches: AsyncIterable<readonly Row[]>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches) rows.push(...batch);
  return rows;
}

const provisional = (given: Partial<ProvisionalSlice>): ProvisionalSlice => ({
  experiment: 'x', phase: 1, variant: 'v1', metric: 'score', dimension: '', dimensionValue: '', sliceStart: epochMs(T0 + 130_000), partition: 0, logEpoch: 0,
  lastOffset: 1n, n: 2, sum: 3, m2: 0.5, min: 1, max: 2, denominatorSum: 0, extraWeight: 0, extraSum: 0, extraDenominatorSum: 0, histogram: new Map([[1048, 1], [1083, 1]]),
  ...given,
});

const delivery = (given: Partial<DeliveryRow>): DeliveryRow => ({
  delivery_id: 'd1', channel: 'team', subject: 's', body: '{}', content_type: 'application/json', state: 'due', attempt: 0, created_at: '2026-01-01T00:00:00.000Z',
  next_attempt_at: '2026-01-01T00:00:00.000Z', changed_at: '2026-01-01T00:00:00.000Z', last_status: null, last_error: '', duration_ms: null, ...given,
});

const alert = (state: AlertRow['state'], second: number): AlertRow => ({
  alert_id: `a${second % 3}`, stream: 'live', rule: 'slow', experiment: 'x', variant: 'v2', state, severity: 'page', value: 300, threshold: 200,
  window_start: null, window_end: null, reason: 'p95 above 200', context: {}, changed_at: new Date(T0 + second * 1_000).toISOString(),
});

/** Everything that Assay asks of a warehouse, of two streams of random facts, some of them forgotten: question → answer. */
async function askEverything({warehouse, sql}: ChdbWarehouse): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {};
  const keep = async (name: string, answer: Promise<unknown>): Promise<void> => {
    answers[name] = canonical(await answer);
  };
  for (const [name, seed] of [['live', PLAIN], ['sampled', SAMPLED]] as const) await askOfStream(warehouse, {name, seed, keep});
  await askOfOnePhase(warehouse, keep);
  await warehouse.insertAlerts([alert('pending', 60), alert('firing', 70), alert('resolved', 190)]);
  await warehouse.insertDeliveries([delivery({}), delivery({state: 'delivered', attempt: 1}), delivery({delivery_id: 'd2'})]);
  await keep('deliveries', warehouse.deliveries({states: [], limit: 10}));
  await keep('history of a delivery', warehouse.deliveryHistory('d1'));
  await keep('alerts', warehouse.latestAlerts('live'));
  await warehouse.insertVerdicts([1, 2, 3].map(serial => verdictAt(serial, {stream: 'live', experiment: 'x', metric: 'score', created_at: new Date(START + serial).toISOString()})));
  await keep('verdicts', warehouse.latestVerdicts('live', null));
  await keep('streams', warehouse.streams());
  for (const file of readdirSync(COOKBOOK)) {
    const rows = await warehouse.query(ofThese(readFileSync(new URL(file, COOKBOOK), 'utf8')), {stream: 'sampled'});
    answers[`cookbook ${file}`] = canonical(rows.map(rounded));
  }
  const asked = {stream: 'live', experiment: 'x'};
  const trend = {...asked, metric: 'score', variant: 'v2', points: 2};
  const facts = {stream: 'live', after_ms: T0, until_ms: CUT, limit: 500, experiment: 'x'};
  for (const [query, parameters] of [
    ['experiment-summaries', asked], ['windows-fingerprint', asked], ['arrivals-per-minute', {...asked, minutes: 30}], ['verdict-trend', trend], ['newest-slice', asked],
    ['verdicts-of-analysis', {...asked, created_ms: START + 2}], ['newest-audit', asked], ['traced-facts', facts], ['traced-outcomes', facts],
  ] as const) await keep(query, warehouse.query(loadQuery(query), {parameters}));
  const views = await sql.select<{name: string; create_table_query: string}>("SELECT name, create_table_query FROM system.tables WHERE engine = 'View' AND name LIKE 'v\\\\_%'");
  for (const {name, create_table_query: text} of views) await keep(`view ${name}`, warehouse.query(`SELECT * FROM ${name}${argumentsOf(text)}`));
  return answers;
}

/** The cookbook's examples, by the names of the histories here. */
const ofThese = (text: string): string => text.replaceAll("'answer-model'", "'x'").replaceAll("'prompt-set'", "'p'").replaceAll(/'latency_ms'|'cost_usd'/g, "'cost'");

const ARGUMENTS: Readonly<Record<string, string>> = {size_s: '30', slide_s: '10', stream: "'live'", cut_ms: String(CUT)};

function argumentsOf(text: string): string {
  const names = [...new Set([...text.matchAll(/\{(\w+):/g)].map(([, name]) => name ?? ''))];
  return names.length === 0 ? '' : `(${names.map(name => `${name} = ${ARGUMENTS[name]}`).join(', ')})`;
}

type Ask = {readonly name: string; readonly seed: number; readonly keep: (name: string, answer: Promise<unknown>) => Promise<void>};

async function askOfStream(warehouse: Warehouse, {name, seed, keep}: Ask): Promise<void> {
  const stream = testStream(name);
  const metrics = [...METRICS.slice(0, seed === PLAIN ? METRICS.length : 1), metric({key: 'p95', aggregate: 'p95', measure: 'score'})];
  const views = [
    viewOf({stream: name, experiment: 'x', metrics, phaseStarts: [T0 - 1_000, T0 + 40_000]}),
    viewOf({stream: name, experiment: 'y', metrics, phaseStarts: [T0 - 1_000, T0 + 70_000]}),
    viewOf({stream: name, experiment: 'p', metrics, design: 'paired'}),
  ] as const;
  const history = randomHistory(stream, seed);
  const committed = history.committed();
  const hasher = await openRecordHasher();
  const idOf = new Map([...history.exposures, ...history.outcomes].map(fact => [`${fact.arrival.partition}/${fact.arrival.offset}`, hasher.id(fact)]));
  const outcomes = seed === PLAIN ? history.outcomes : history.outcomes.map(outcome => ({...outcome, measures: calm(outcome.measures)}));
  const batch = {...history.batch(), outcomes, arrivals: history.arrivals.map(row => ({...row, idHash: idOf.get(`${row.partition}/${row.offset}`) ?? row.idHash}))};
  const at = {logEpoch: 0, partition: 1, offset: 5_000n, appendTs: epochMs(T0), arrivalTs: epochMs(T0)};
  const deadLetters = [{...at, lastOffset: 5_000n, code: 'undecodable' as const, message: 'no magic', key: 'u3', value: new Uint8Array([1, 2])}];
  await warehouse.mirrorStream(stream);
  await warehouse.mirrorVersions(views.flatMap(versionsOf));
  await warehouse.insertFacts({...batch, deadLetters});
  // As a worker that was fenced writes it again.
  await warehouse.insertFacts(batch);
  await warehouse.insertProvisional(name, [provisional({}), provisional({partition: 1, variant: 'v2'}), provisional({lastOffset: 2n, n: 3})]);
  await warehouse.closeSlices({stream, views, committed, fromSlice: epochMs(T0), throughSlice: epochMs(T0 + 120_000)});
  await warehouse.reviseSlices({stream, views, committed, sinceCut: epochMs(0), cut: epochMs(T0 + 200_000), closedThrough: epochMs(T0 + 120_000)});
  const below = {stream: name, logEpoch: 0, partition: 1, belowOffset: 60n};
  const told = (question: string, answer: Promise<unknown>): Promise<void> => keep(`${name}: ${question}`, answer);
  // The books of one stream are enough: planning them takes longest.
  const books = (question: string, answer: () => Promise<unknown>): Promise<void> => (seed === PLAIN ? told(question, answer()) : Promise.resolve());
  await told('arrival high', warehouse.arrivalHigh(below));
  await told('written through', warehouse.writtenThrough(name, 0, 1));
  await told('open outcomes', listOf(warehouse.openOutcomes({...below, from: epochMs(T0)})));
  await told('first exposures', warehouse.firstExposures(name, Array.from({length: 24}, (_, unit) => `u${unit}`)));
  await told('progress', warehouse.progress(name, committed));
  await told('closing state', warehouse.closingState(name));
  for (const {experiment} of views) await told(`slices of ${experiment}`, warehouse.closedSlices(name, experiment));
  await books('ledger', () => warehouse.ledger(name, committed));
  await books('audit', () => warehouse.auditSlices({stream, views, slicesMax: null}));
  await told('dead letters', warehouse.deadLetters({stream: name, code: null, limit: 10}));
  await told('offsets', warehouse.offsetsUnder(name, CUT));
  await told('measures', warehouse.measuresSeen(name, 'x'));
  const guards = [{experiment: 'x', phase: 1, sizeMs: SLICE_MS * 3, metrics: ['score', 'errors'], ends: [epochMs(T0 + 60_000), epochMs(T0 + 140_000)]}];
  await told('guard windows', warehouse.guardWindows(name, guards));
  await told('guard history', warehouse.guardHistory(name, guards));
  const span = {sizeMs: durationMs(SLICE_MS * 3), slideMs: durationMs(SLICE_MS), from: epochMs(T0), to: epochMs(T0 + 200_000)};
  await told('windows', warehouse.windows({stream: name, experiment: 'x', ...span}));
  for (const view of [views[0], views[2]]) await askAnalysis(warehouse, {scope: {stream: name, view, phase: 1, cut: CUT}, looks: seed === PLAIN ? [epochMs(T0 + 75_000), CUT] : [CUT], told});
  const tombstone = await warehouse.writeTombstone({stream: name, unitId: 'u3', reason: 'asked'});
  await told('tombstone', Promise.resolve(tombstone));
  await books('ledger, forgotten', () => warehouse.ledger(name, committed));
  await warehouse.eraseUnit({stream: name, unitId: 'u3', logKey: 'u3', forgottenTs: tombstone?.forgottenTs ?? epochMs(0)});
  await books('ledger, erased', () => warehouse.ledger(name, committed));
  await books('audit, erased', () => warehouse.auditSlices({stream, views, slicesMax: null}));
  await told('tombstones', warehouse.tombstones(name));
  await told('dead letters, erased', warehouse.deadLetters({stream: name, code: null, limit: 10}));
}

/** One experiment in its first phase over hours: other queries answer that. */
async function askOfOnePhase(warehouse: Warehouse, keep: Ask['keep']): Promise<void> {
  const stream = testStream('plain');
  const view = viewOf({stream: stream.name, experiment: 'x'});
  const history = randomHistory(stream, 24);
  await warehouse.mirrorStream(stream);
  await warehouse.mirrorVersions(versionsOf(view));
  await warehouse.insertFacts(history.batch());
  const committed = history.committed();
  await keep('hours closed', warehouse.closeSlices({stream, views: [view], committed, fromSlice: epochMs(T0 - 36_000_000), throughSlice: epochMs(T0 + 36_000_000)}));
  await keep('one phase: exposures', warehouse.exposureCounts({stream: stream.name, view, phase: 1, cut: CUT}));
}

type Analysis = {readonly scope: AnalysisScope; readonly looks: readonly EpochMs[]; readonly told: (question: string, answer: Promise<unknown>) => Promise<void>};

/** A second look adds what arrived since. */
async function askAnalysis(warehouse: Warehouse, {scope, looks, told}: Analysis): Promise<void> {
  const {experiment, definition} = scope.view;
  await told(`newest phase of ${experiment}`, warehouse.newestPhase(scope));
  for (const cut of looks) {
    const look = {...scope, cut};
    const about = (question: string): string => `${experiment} at ${cut - T0}: ${question}`;
    await warehouse.prepare(look, {live: true});
    await told(about('exposures'), warehouse.exposureCounts(look));
    for (const one of definition.metrics) {
      await told(about(`arms, ${one.key}`), warehouse.armTotals(look, one));
      if (definition.design === 'paired') await told(about(`pairs, ${one.key}`), warehouse.pairGroups(look, one, {control: 'v1', variant: 'v2', listedMax: one.key === 'score' ? 2 : 1_000}));
      if (!hasDistribution(one)) continue;
      for (const per of ['outcome', 'unit'] as const) await told(about(`values, ${one.key}, per ${per}`), warehouse.valueGroups(look, one, {per, listedMax: 10_000}));
      if (definition.design === 'paired') continue;
      await told(about(`weighted shares, ${one.key}`), warehouse.weightedSums(look, one, {at: {v1: 1, v2: 1}}));
      await told(about(`weighted places, ${one.key}`), warehouse.weightedSums(look, one, {control: 'v1', variant: 'v2'}));
    }
    if (definition.design === 'split') await told(about('halves'), warehouse.relabelledArms(look, {variant: 'v1', relabellings: 3, unitsMax: 100}));
    await warehouse.release(look);
  }
}

/** The line of a query that tells its statement from others. */
const markOf = (text: string): string =>
  text.split('\n').filter(line => !line.startsWith('--') && !/[{}]|\/\*/.test(line)).map(line => line.trim()).reduce((longest, line) => (line.length > longest.length ? line : longest), '');

describe.skipIf(skipReason !== null)(`two shards${skipReason === null ? '' : ` (skipped: ${skipReason})`}`, () => {
  let alone: Record<string, unknown>;
  beforeAll(async () => {
    const one = await openChdbWarehouse();
    alone = await askEverything(one).finally(() => one.close());
  }, 240_000);

  describe('by the keys of the cluster', () => {
    const statements: string[] = [];
    let together: Record<string, unknown> = {};
    let cluster: ChdbWarehouse;
    beforeAll(async () => {
      cluster = await openShardedWarehouse({onStatement: sql => statements.push(sql)});
      together = await askEverything(cluster);
    }, 240_000);
    afterAll(() => cluster?.close());

    test('every question has the answer that one server gives', () => {
      expect(Object.keys(together)).toEqual(Object.keys(alone));
      for (const [question, answer] of Object.entries(alone)) expect({question, answer: together[question]}).toEqual({question, answer});
    });

    test('every query of sql/queries was asked', () => {
      const missing = readdirSync(QUERIES).filter(file => !statements.some(sql => sql.replace(/_local ON CLUSTER 'two_shards'/, '').includes(markOf(readFileSync(new URL(file, QUERIES), 'utf8')))));
      expect(missing).toEqual([]);
    });

    test('both shards hold facts', async () => {
      const shards = await cluster.sql.select<{shard: number}>('SELECT DISTINCT _shard_num AS shard FROM outcomes ORDER BY shard');
      expect(shards.map(({shard}) => shard)).toEqual([1, 2]);
    });
  });

  test('by a key that parts the copies of an event, answers are others', async () => {
    const parted = await openShardedWarehouse({keys: {outcomes: 'cityHash64(offset)', exposures: 'cityHash64(offset)'}});
    const history = randomHistory(testStream('live'), PLAIN);
    try {
      await parted.warehouse.insertFacts(history.batch());
      await parted.warehouse.insertFacts(history.batch());
      const ledger = await parted.warehouse.ledger('live', history.committed());
      expect(ledger.some(({accepted, facts}) => accepted !== facts)).toBe(true);
    } finally {
      await parted.close();
    }
  }, 120_000);
});
