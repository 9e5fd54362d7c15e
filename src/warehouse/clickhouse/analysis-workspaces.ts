import {assert} from '../../core/assert.ts';
import {hasDistribution, type Metric} from '../../core/experiment.ts';
import {gridDigits} from '../exact-groups.ts';
import type {AnalysisScope} from '../warehouse.ts';
import {denominatorOf, hasBit, listOf, METRICS_MAX, type MetricColumns, metricColumns, NEVER_MS, quantised, seenColumns, totalColumns, measuredOf} from './analysis-columns.ts';
import {HOUR, OUTCOMES_ARRIVED, type OutcomesOf, rangeOf, UNITS_EXPOSED, UNSAMPLED, UNITS_ALONE, unitsAlike, unitsOfKeys, type UnitsSeen, unitsWhere, type WeightRange, withForgotten, withUnitsJoined} from './analysis-joined.ts';
import {onlyWeight, RECOUNT_SPILLING, recount} from './analysis-recount.ts';
import {fromTables, scopeParams} from './analysis-scope.ts';
import type {SqlConnection, SqlParams, SqlSettings} from './connection.ts';
import {gridParams, type PairsOf, SPILLING, stepsWritten} from './pair-store.ts';
import {loadQuery} from './query-file.ts';
import {FINAL_WITHIN_PARTITIONS} from './slice-recompute.ts';
import {literal, quoteString} from './sql-text.ts';

/** The facts of one experiment × phase under one cut, brought down to units and values by one pass over the outcomes. */
export type Workspace = {
  readonly id: string;
  readonly scope: AnalysisScope;
  readonly metrics: readonly Metric[];
  /** Counts the times it was brought up to date; from 1. */
  readonly step: number;
  /** Of the stream; when units were forgotten since, the workspace is made again. */
  readonly tombstones: string;
  /** Brought up to date later on: then the rows of units are kept in the order of their keys. */
  readonly isLive: boolean;
  /** Of all units that counted at some step; those of one step never change places. */
  readonly arms: readonly string[];
  /** By metric: no |value| or |denominator| is larger. */
  readonly largest: readonly number[];
  /** Of the events of the scope, in millionths (core/sampling.ts). With one weight sums are plain: it cancels. */
  readonly weights: WeightRange;
  /** Sets of pairs that stand side by side already. */
  readonly paired: Map<string, PairsOf>;
  /** Outcomes of the stream, in the phase or not, as far as they were counted; goes from step to step. */
  readonly accepted: {through: number; outcomes: number};
};

/** Rows of units that its last step touched, as they were and as they are. */
export const stepOf = ({id, step}: Pick<Workspace, 'id' | 'step'>): string => `${id}/${step}`;

export const isWeighted = ({weights}: Pick<Workspace, 'weights'>): boolean => weights.low !== weights.high;

/** Places of arms are one byte; 0 is none. */
const ARMS_MAX = 255;

/** Left by a process that died; nobody works on one for so long. */
const ABANDONED_AFTER_S = 86_400;

const TABLES = ['analysis_units', 'analysis_units_once', 'analysis_answers', 'analysis_items', 'analysis_recounts', 'analysis_totals', 'analysis_values_seen', 'analysis_weights_seen'] as const;

/** Filled only by what is brought up to date, and only by what is not. */
const KEPT: ReadonlySet<string> = new Set(['analysis_units', 'analysis_totals']);
const ONCE: ReadonlySet<string> = new Set(['analysis_units_once']);

/** Partitions are those of sets of pairs. */
const PAIR_ROWS = 'analysis_pair_rows';

/** Rows of one insert have keys of their own. */
const INSERT_SETTINGS: SqlSettings = {...FINAL_WITHIN_PARTITIONS, optimize_on_insert: 0};

/** With two threads one table of units is filled and read faster than two. */
const PLAIN_JOIN: SqlSettings = {join_algorithm: 'hash'};

/**
 * Fills, extends and drops workspaces. Facts are read, deduplicated and joined
 * once for all metrics; what is asked afterwards reads units, not outcomes.
 *
 *     exposures → units ─┐
 *     outcomes ──────────┴→ outcomes of the phase → totals per unit, occurrences per value
 *
 * Extending reads what arrived since: outcomes are added to their units' totals,
 * and a unit whose exposures changed is counted again from its facts.
 */
export class AnalysisWorkspaces {
  readonly #connection: SqlConnection;
  #hasSwept = false;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
  }

  async build(scope: AnalysisScope, metrics: readonly Metric[], {isLive} = {isLive: false}): Promise<Workspace> {
    assert(metrics.length <= METRICS_MAX, 'an experiment has at most 64 metrics');
    const begun = {
      id: await this.#newId(), scope, metrics, step: 1, tombstones: await this.#tombstones(scope.stream), weights: UNSAMPLED, paired: new Map<string, PairsOf>(),
      isLive, arms: scope.view.definition.variants.map(({key}) => key), largest: metrics.map(() => 0), accepted: {through: 0, outcomes: 0},
    };
    try {
      if (isSplit(scope)) await this.#insert(withUnits('analysis-units', begun), {...paramsOf(begun), since_ms: 0});
      const units = isSplit(scope) ? await this.#unitsSeen(begun) : null;
      const named = withArms(begun, units);
      const countsAll = isSplit(scope) && scope.phase === 1 && (await this.#isAlone(named));
      const recounted = units === null ? null : await this.#recount(named, units, {countsAll});
      if (recounted !== null) return recounted;
      await this.#insertOutcomes(named, {units: unitsAlike(named, units, {countsAll})});
      const {workspace: grown, seen} = await this.#insertValues(named);
      const accepted = countsAll ? {through: scope.cut, outcomes: seen.accepted} : begun.accepted;
      const workspace = {...grown, accepted, weights: rangeOf([seen.weights, units?.weights ?? null])};
      if (isWeighted(workspace)) await this.#insertWeights(workspace);
      await this.#insert(withTotals('analysis-totals', workspace, seen), paramsOf(workspace), SPILLING);
      return workspace;
    } catch (error) {
      await this.drop(begun);
      throw error;
    }
  }

  /** In one pass over the outcomes; null where they ask for more than it does. */
  async #recount(workspace: Workspace, seen: UnitsSeen, {countsAll}: {readonly countsAll: boolean}): Promise<Workspace | null> {
    const {id, scope, metrics, isLive} = workspace;
    const weight = await onlyWeight(this.#connection, scope.stream, seen.weights);
    if (weight === null) return null;
    const params = {...paramsOf(workspace), since_ms: 0, from_ms: 0};
    const units = unitsAlike(workspace, seen, {countsAll});
    const settings = {...INSERT_SETTINGS, ...PLAIN_JOIN, ...RECOUNT_SPILLING};
    const found = await recount(this.#connection, {metrics, ends: endsOf(workspace), units, weight, params, settings}, () => this.#dropPartition('analysis_recounts', id));
    if (found === null) return null;
    await this.#insert(loadQuery('analysis-values-recounted'), params);
    if (isLive) {
      await this.#insert(loadQuery('analysis-totals-recounted'), {...params, from: id});
      await this.#dropPartition('analysis_recounts', id);
    }
    const accepted = countsAll ? {through: scope.cut, outcomes: found.outcomes + found.leftOut} : workspace.accepted;
    return {...workspace, largest: found.largest, accepted, weights: {low: weight, high: weight}};
  }

  /** The workspace under a later cut, or null when it must be built anew. */
  async extend(workspace: Workspace, scope: AnalysisScope): Promise<Workspace | null> {
    if (!isSplit(scope) || scope.cut < workspace.scope.cut || (await this.#tombstones(scope.stream)) !== workspace.tombstones) return null;
    if (scope.cut === workspace.scope.cut) return workspace;
    const next = {...workspace, scope, step: workspace.step + 1};
    const changed = stepOf(next);
    const since = workspace.scope.cut;
    const params = {...paramsOf(next), changed, since_ms: since, exposed_since_ms: since, exposed_cut_ms: scope.cut};
    await this.#dropPartition('analysis_answers', workspace.id);
    await this.#dropStep(workspace);
    await this.#insert(withUnits('analysis-units-changed', next).replaceAll('/* units exposed */', () => UNITS_EXPOSED), params);
    const isChanged = `key IN (SELECT key FROM analysis_units WHERE workspace = ${quoteString(changed)})`;
    const known = `workspace = ${quoteString(workspace.id)}`;
    const fresh = await this.#unitsSeen({...next, id: changed});
    const named = withArms(next, fresh);
    const first = await this.#firstOf(`workspace = ${quoteString(changed)}`);
    const earlier = first === null ? null : await this.#firstOf(`${known} AND ${isChanged}`);
    if (first !== null) {
      const only = `PREWHERE unit_id IN (SELECT unit_id FROM ${UNITS_EXPOSED})`;
      // What the units counted for before, taken back; then what they count for now.
      if (earlier !== null) await this.#insertOutcomes(named, {units: unitsWhere(named, `${known} AND ${isChanged}`), sign: -1, through: since, from: earlier, only, exposedSince: since});
      await this.#insertOutcomes(named, {units: unitsWhere(named, `workspace = ${quoteString(changed)}`), from: first, only, exposedSince: since});
    }
    const units = unitsOfKeys(named, `SELECT reinterpretAsUInt128(sipHash128(unit_id)) FROM ${OUTCOMES_ARRIVED}`, `NOT ${isChanged}`);
    await this.#insertOutcomes(named, {units, since, only: `PREWHERE ${HOUR} IN (SELECT ${HOUR} FROM ${OUTCOMES_ARRIVED})`});
    const {workspace: grown, seen} = await this.#insertValues(named);
    if (isWeighted(grown)) await this.#insertWeights(grown);
    await this.#insert(loadQuery('analysis-totals-known'), params);
    await this.#insert(withTotals('analysis-totals-changed', grown, seen), {...params, arms: grown.arms});
    await this.#insert(loadQuery('analysis-totals-recounted'), {...params, from: changed});
    await this.#connection.command(
      'INSERT INTO analysis_units SELECT {workspace:String}, * EXCEPT workspace FROM analysis_units WHERE workspace = {changed:String}',
      params,
    );
    const {low, high} = workspace.weights;
    const isOfOne = [seen.weights, fresh?.weights ?? null].every(range => range === null || (range.low === low && range.high === high));
    // With one weight before and for what is new, there is one; units that were taken back may have been the last of theirs.
    if (low === high && isOfOne && earlier === null) return {...grown, weights: workspace.weights};
    const weights = rangeOf([await this.#totalWeights(grown), (await this.#unitsSeen(grown))?.weights ?? null]);
    // With another weight the sums of all units are others.
    return isWeighted({weights}) === isWeighted(workspace) ? {...grown, weights} : null;
  }

  /** Side by side, once for each treatment and metric. */
  async insertPairs(workspace: Workspace, index: number, {control, variant}: {readonly control: string; readonly variant: string}): Promise<PairsOf> {
    const metric = workspace.metrics[index];
    assert(metric !== undefined, 'a metric of the workspace');
    const {id, arms, paired} = workspace;
    const name = `${id}/${index}/${arms.indexOf(control)}-${arms.indexOf(variant)}`;
    const known = paired.get(name);
    if (known !== undefined) return known;
    // A mean is not above the largest outcome; a ratio may be, and then its pairs say so.
    const digits = gridDigits(workspace.largest[index] ?? 0);
    const pairs = {pairs: name, unpaired: `${name}/unpaired`, digits};
    const multiplier = 10 ** metric.scale;
    const isRatio = metric.aggregate === 'ratio';
    const q = (value: string): string => quantised(value, literal(multiplier), (workspace.largest[index] ?? 0) * multiplier);
    // Within an item and arm a mean is weighted; six digits more on both sides cancel.
    const weighted = (sql: string): string => (isWeighted(workspace) ? `(${sql}) * weight` : sql);
    const query = loadQuery('analysis-pairs')
      .replace('/* steps */', () => stepsWritten({control: 'under_control', variant: 'under_variant'}))
      .replaceAll('/* q */', () => weighted(q(measuredOf(index))))
      .replaceAll('/* d */', () => weighted(isRatio ? q(denominatorOf(workspace.metrics, index)) : 'toInt128(1)'));
    try {
      await this.#insert(query, {...paramsOf(workspace), ...pairs, ...gridParams(digits), control, variant, metric: index, multiplier, divisor: isRatio ? multiplier : 1});
    } catch (error) {
      await this.#dropPairs(pairs).catch(() => undefined);
      throw error;
    }
    paired.set(name, pairs);
    return pairs;
  }

  async drop(workspace: Workspace): Promise<void> {
    const {id, paired, isLive} = workspace;
    for (const table of TABLES) if (!(isLive ? ONCE : KEPT).has(table)) await this.#dropPartition(table, id);
    await this.#dropStep(workspace);
    for (const pairs of paired.values()) await this.#dropPairs(pairs);
  }

  /** What was taken together for one step. */
  async #dropStep(workspace: Workspace): Promise<void> {
    if (workspace.step === 1) return;
    for (const table of ['analysis_units', 'analysis_recounts']) await this.#dropPartition(table, stepOf(workspace));
  }

  async #dropPairs({pairs, unpaired}: PairsOf): Promise<void> {
    for (const partition of [pairs, unpaired]) await this.#dropPartition(PAIR_ROWS, partition);
  }

  async #insertOutcomes(workspace: Workspace, of: OutcomesOf): Promise<void> {
    const {scope, metrics} = workspace;
    const {design} = scope.view.definition;
    const columns = metricColumns(metrics, endsOf(workspace));
    const text = loadQuery(`analysis-outcomes-${design}`).replace('/* only */', () => of.only ?? '');
    const query = isSplit(scope) ? withUnitsJoined(withEarlyColumns(text, columns), of.units) : withColumns(text, columns);
    const params = {
      ...paramsOf(workspace),
      sign: of.sign ?? 1,
      since_ms: of.since ?? 0,
      from_ms: of.from ?? 0,
      cut_ms: of.through ?? scope.cut,
      exposed_since_ms: of.exposedSince ?? of.since ?? 0,
      exposed_cut_ms: scope.cut,
    };
    await this.#insert(query, params, PLAIN_JOIN);
  }

  /** The values of each unit by their weight; where all weigh the same those of `#insertValues` say it all. */
  async #insertWeights(workspace: Workspace): Promise<void> {
    for (const [metric, one] of workspace.metrics.entries()) {
      if (!hasDistribution(one)) continue;
      const query = loadQuery('analysis-weights-seen')
        .replace('/* count */', workspace.step === 1 ? 'toInt64(count())' : 'sum(sign)')
        .replace('/* answers */', answersOf(workspace));
      await this.#insert(query, {...paramsOf(workspace), metric}, SPILLING);
    }
  }

  /** Counts values, and tells what one pass over what a step has to count and those counts say. */
  async #insertValues(workspace: Workspace): Promise<{readonly workspace: Workspace; readonly seen: StepSeen}> {
    const {metrics, arms, id, step} = workspace;
    const params = paramsOf(workspace);
    type Row = {accepted: string; outcomes: string; present_in_all: string; largest: number[]; low: string; high: string};
    const sql = `SELECT count() AS accepted, ${seenColumns(metrics)} FROM ${answersOf(workspace)} WHERE workspace = {workspace:String}`;
    const [row] = await this.#connection.select<Row>(sql, {workspace: id});
    const [accepted, outcomes] = [Number(row?.accepted ?? 0), Number(row?.outcomes ?? 0)];
    const counts = accepted === outcomes ? '1' : 'arm != 0';
    if (row === undefined || outcomes === 0) return {workspace, seen: {accepted, counts, present: 0n, weights: null}};
    const present = BigInt(row.present_in_all);
    // Before any step was added nothing is taken back.
    const counted = (arm: number): string => (step === 1 ? `toInt64(countIf(arm = ${arm + 1}))` : `sumIf(sign, arm = ${arm + 1})`);
    for (const [metric, one] of metrics.entries()) {
      if (!hasDistribution(one)) continue;
      const query = loadQuery('analysis-values-seen')
        .replace('/* counts */', () => arms.map((_, arm) => counted(arm)).join(', '))
        .replace('/* answers */', answersOf(workspace))
        .replace('/* counted */', counts)
        .replace('/* has */', hasBit(present, metric) ? '1' : 'bitTest(present, {metric:UInt16})');
      await this.#insert(query, {...params, metric}, SPILLING);
    }
    const values = await this.#connection.select<{metric: number; largest: number}>(
      'SELECT metric, max(abs(value)) AS largest FROM analysis_values_seen WHERE workspace = {workspace:String} AND step = {step:UInt32} GROUP BY metric', params,
    );
    const ofValues = new Map(values.map(({metric, largest}) => [Number(metric), largest]));
    const largest = workspace.largest.map((known, metric) => Math.max(known, row.largest[metric] ?? 0, ofValues.get(metric) ?? 0));
    return {workspace: {...workspace, largest}, seen: {accepted, counts, present, weights: {low: Number(row.low), high: Number(row.high)}}};
  }

  /** Whether the stream's outcomes are those of this experiment, or of none. */
  async #isAlone(workspace: Workspace): Promise<boolean> {
    const params = {...paramsOf(workspace), alone_through_ms: 0};
    const sql = fromTables(loadQuery('stream-is-plain').replace('/* units alone */', UNITS_ALONE), params);
    const [row] = await this.#connection.select<{is_alone: number}>(sql, params, FINAL_WITHIN_PARTITIONS);
    return row?.is_alone === 1;
  }

  /** When the earliest of these units was first exposed; null without units. */
  async #firstOf(where: string): Promise<number | null> {
    const [row] = await this.#connection.select<{first: string | null}>(`SELECT minOrNull(first_ms) AS first FROM analysis_units WHERE ${where}`);
    return row?.first === null || row === undefined ? null : Number(row.first);
  }

  #totalWeights({id}: Workspace): Promise<WeightRange | null> {
    return this.#range('SELECT count() AS n, min(weight_low) AS low, max(weight_high) AS high FROM analysis_totals FINAL WHERE workspace = {workspace:String} AND outcomes > 0', id);
  }

  /** Null without any. */
  async #unitsSeen(workspace: Workspace): Promise<UnitsSeen | null> {
    type Row = {n: string; low: string; high: string; left: string; arms: string[]};
    const sql = `SELECT count() AS n, min(weight) AS low, max(weight) AS high, min(left_ms) AS left, groupUniqArray(variant) AS arms FROM analysis_units FINAL WHERE workspace = {workspace:String} AND NOT is_crossover AND variant != ''`;
    const [row] = await this.#connection.select<Row>(fromTables(sql, paramsOf(workspace)), {workspace: workspace.id}, FINAL_WITHIN_PARTITIONS);
    if (row === undefined || Number(row.n) === 0) return null;
    return {weights: {low: Number(row.low), high: Number(row.high)}, hasLeft: Number(row.left) < NEVER_MS, arms: row.arms};
  }

  async #range(sql: string, workspace: string): Promise<WeightRange | null> {
    // Units of another workspace have the same keys.
    const [row] = await this.#connection.select<{n: string; low: string; high: string}>(sql, {workspace}, FINAL_WITHIN_PARTITIONS);
    return row === undefined || Number(row.n) === 0 ? null : {low: Number(row.low), high: Number(row.high)};
  }

  async #tombstones(stream: string): Promise<string> {
    const sql = 'SELECT concat(toString(count()), \' \', toString(sum(cityHash64(unit_id, arrival_ts)))) AS state FROM tombstones FINAL WHERE stream = {stream:String}';
    const [row] = await this.#connection.select<{state: string}>(sql, {stream});
    return row?.state ?? '';
  }

  /** Begins with the second it was made in. */
  async #newId(): Promise<string> {
    if (!this.#hasSwept) {
      await this.#sweep();
      this.#hasSwept = true;
    }
    const [row] = await this.#connection.select<{id: string}>("SELECT concat(toString(toUnixTimestamp(now())), '-', toString(generateUUIDv4())) AS id");
    return row?.id ?? '';
  }

  async #sweep(): Promise<void> {
    const sql = `SELECT DISTINCT table, partition FROM system.parts WHERE database = currentDatabase() AND active
      AND table IN {tables:Array(String)} AND toUInt64OrZero(extract(partition, '^\\'?(\\\\d+)-')) < toUnixTimestamp(now()) - {age:UInt32}`;
    for (const {table, partition} of await this.#connection.select<{table: string; partition: string}>(sql, {tables: [...TABLES, PAIR_ROWS], age: ABANDONED_AFTER_S})) {
      await this.#dropPartition(table, partition.replaceAll("'", ''));
    }
  }

  #dropPartition(table: string, partition: string): Promise<void> {
    return this.#connection.command(`ALTER TABLE ${table} DROP PARTITION ${quoteString(partition)}`);
  }

  #insert(sql: string, params: SqlParams, settings: SqlSettings = {}): Promise<void> {
    return this.#connection.command(fromTables(sql, params), params, {...INSERT_SETTINGS, ...settings});
  }
}

/** Outcomes of a step: all that were read for it, and which rows of them count. Their weights are null without any. */
type StepSeen = {readonly accepted: number; readonly counts: string; readonly present: bigint; readonly weights: WeightRange | null};

export const isSplit = ({view}: Pick<AnalysisScope, 'view'>): boolean => view.definition.design === 'split';

export function paramsOf({id, scope, step, arms, isLive}: Workspace): SqlParams {
  return {...scopeParams(scope, null), workspace: id, step, arms, is_live: isLive};
}

function withColumns(sql: string, {present, values}: MetricColumns): string {
  return sql.replace('/* present */', () => present).replace('/* values */', () => listOf(values));
}

/** Each value under a name of its own; an array is made of them after the join. */
function withEarlyColumns(sql: string, {present, values}: MetricColumns): string {
  return sql
    .replace('/* columns */', () => values.map((value, i) => `,\n    ${value} AS value_${i}`).join(''))
    .replace('/* present */', () => present)
    .replace('/* values */', listOf(values.map((_, i) => `value_${i}`)));
}

/** A variant that the definition no longer has comes after those it has. */
function withArms(workspace: Workspace, units: UnitsSeen | null): Workspace {
  const arms = [...new Set([...workspace.arms, ...(units?.arms ?? [])])];
  assert(arms.length <= ARMS_MAX, 'an experiment has at most 255 variants in all its phases');
  return {...workspace, arms};
}

/** By metric: outcomes of the phase count before it, in ms; 0 for ever. */
const endsOf = ({scope, metrics}: Workspace): number[] => metrics.map(metric => Number(scopeParams(scope, metric)['end_ms']));

const withUnits = (query: string, workspace: Workspace): string =>
  loadQuery(query).replace('/* units met */', () =>
    withForgotten(loadQuery('analysis-units-met'), workspace).replace('/* only */', workspace.step === 1 ? '' : `AND unit_id IN (SELECT unit_id FROM ${UNITS_EXPOSED})`),
  );

/** In a split a unit has one variant, and one key to group by is much the faster. */
function withTotals(query: string, workspace: Workspace, {present, counts}: StepSeen): string {
  const {scope, metrics, largest, weights} = workspace;
  return loadQuery(query)
    .replace('/* totals */', () => totalColumns(metrics, {present, largest}, isWeighted(workspace)))
    .replace('/* weights */', isWeighted(workspace) || workspace.step > 1 ? 'min(weight) AS weight_low, max(weight) AS weight_high' : `toInt64(${weights.low}) AS weight_low, toInt64(${weights.high}) AS weight_high`)
    .replace('/* counted */', counts)
    .replace('/* answers */', answersOf(workspace))
    .replace('/* arm */', isSplit(scope) ? 'any(arm)' : 'arm')
    .replace('/* unit */', isSplit(scope) ? 'key' : 'key, arm');
}

const answersOf = ({scope}: Workspace): string => (isSplit(scope) ? 'analysis_answers' : 'analysis_items');
