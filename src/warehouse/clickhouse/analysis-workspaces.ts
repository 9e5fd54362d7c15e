import {assert} from '../../core/assert.ts';
import {hasDistribution, type Metric} from '../../core/experiment.ts';
import {WEIGHT_ONE} from '../../core/sampling.ts';
import type {AnalysisScope} from '../warehouse.ts';
import {METRICS_MAX, type MetricColumns, metricColumns, quantised, totalColumns} from './analysis-columns.ts';
import {scopeParams} from './analysis-scope.ts';
import type {SqlConnection, SqlParams, SqlSettings} from './connection.ts';
import {loadQuery} from './query-file.ts';
import {FINAL_WITHIN_PARTITIONS} from './slice-recompute.ts';
import {quoteString} from './sql-text.ts';

/** The facts of one experiment × phase under one cut, brought down to units and values by one pass over the outcomes. */
export type Workspace = {
  readonly id: string;
  readonly scope: AnalysisScope;
  readonly metrics: readonly Metric[];
  /** Counts the times it was brought up to date; from 1. */
  readonly step: number;
  /** Of the stream; when units were forgotten since, the workspace is made again. */
  readonly tombstones: string;
  /** Of the events of the scope, in millionths (core/sampling.ts). With one weight sums are plain: it cancels. */
  readonly weights: WeightRange;
  /** Which pairs stand side by side already. */
  readonly paired: Set<string>;
  /** Outcomes of the stream, in the phase or not, as far as they were counted; goes from step to step. */
  readonly accepted: {through: number; outcomes: number};
};

export type WeightRange = {readonly low: number; readonly high: number};

export const isWeighted = ({weights}: Pick<Workspace, 'weights'>): boolean => weights.low !== weights.high;

/** Left by a process that died; nobody works on one for so long. */
const ABANDONED_AFTER_S = 86_400;

const UNSAMPLED: WeightRange = {low: WEIGHT_ONE, high: WEIGHT_ONE};

const TABLES = ['analysis_units', 'analysis_outcomes', 'analysis_totals', 'analysis_values_seen', 'analysis_pairs'] as const;

/** Rows of one insert have keys of their own. */
const INSERT_SETTINGS: SqlSettings = {...FINAL_WITHIN_PARTITIONS, optimize_on_insert: 0};

const UNITS = 'SELECT key, variant, first_ms, left_ms, forgotten_ms, weight FROM analysis_units FINAL WHERE NOT is_crossover AND';

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

  async build(scope: AnalysisScope, metrics: readonly Metric[]): Promise<Workspace> {
    assert(metrics.length <= METRICS_MAX, 'an experiment has at most 64 metrics');
    const begun = {
      id: await this.#newId(), scope, metrics, step: 1, tombstones: await this.#tombstones(scope.stream), weights: UNSAMPLED, paired: new Set<string>(),
      accepted: {through: 0, outcomes: 0},
    };
    try {
      const params = paramsOf(begun);
      if (isSplit(scope)) await this.#insert(withUnits('analysis-units'), {...params, since_ms: 0});
      await this.#insertOutcomes(begun, {});
      const workspace = {...begun, weights: await this.#weights(begun.id, 'SELECT min(weight) AS low, max(weight) AS high FROM analysis_outcomes WHERE')};
      await this.#insert(withTotals('analysis-totals', workspace), params);
      await this.#insertSeen(workspace);
      return workspace;
    } catch (error) {
      await this.drop(begun);
      throw error;
    }
  }

  /** The workspace under a later cut, or null when it must be built anew. */
  async extend(workspace: Workspace, scope: AnalysisScope): Promise<Workspace | null> {
    if (!isSplit(scope) || scope.cut < workspace.scope.cut || (await this.#tombstones(scope.stream)) !== workspace.tombstones) return null;
    if (scope.cut === workspace.scope.cut) return workspace;
    const next = {...workspace, scope, step: workspace.step + 1};
    const changed = `${workspace.id}/${next.step}`;
    const since = workspace.scope.cut;
    const params = {...paramsOf(next), changed, since_ms: since};
    await this.#dropPartition('analysis_outcomes', workspace.id);
    await this.#insert(withUnits('analysis-units-changed'), params);
    const isChanged = `key IN (SELECT key FROM analysis_units WHERE workspace = ${quoteString(changed)})`;
    const known = `workspace = ${quoteString(workspace.id)}`;
    const fresh = await this.#firstOf(`workspace = ${quoteString(changed)}`);
    if (fresh !== null) {
      const earlier = await this.#firstOf(`${known} AND ${isChanged}`);
      // What the units counted for before, taken back; then what they count for now.
      if (earlier !== null) await this.#insertOutcomes(next, {units: `${UNITS} ${known} AND ${isChanged}`, sign: -1, through: since, from: earlier});
      await this.#insertOutcomes(next, {units: `${UNITS} workspace = ${quoteString(changed)}`, from: fresh});
    }
    await this.#insertOutcomes(next, {units: `${UNITS} ${known} AND NOT ${isChanged}`, since});
    await this.#insert(withTotals('analysis-totals-changed', next), params);
    await this.#insertSeen(next);
    await this.#connection.command(
      'INSERT INTO analysis_units SELECT {workspace:String}, * EXCEPT workspace FROM analysis_units WHERE workspace = {changed:String}',
      params,
    );
    await this.#dropPartition('analysis_units', changed);
    const weights = await this.#weights(next.id, 'SELECT min(weight_low) AS low, max(weight_high) AS high FROM analysis_totals FINAL WHERE outcomes > 0 AND');
    // With another weight the sums of all units are others.
    return isWeighted({weights}) === isWeighted(workspace) ? {...next, weights} : null;
  }

  /** Side by side, once for each treatment and metric. */
  async insertPairs(workspace: Workspace, index: number, arms: {readonly control: string; readonly variant: string}): Promise<void> {
    const metric = workspace.metrics[index];
    assert(metric !== undefined, 'a metric of the workspace');
    const name = JSON.stringify([index, arms]);
    if (workspace.paired.has(name)) return;
    const multiplier = 10 ** metric.scale;
    const isRatio = metric.aggregate === 'ratio';
    // Within an item and arm a mean is weighted; six digits more on both sides cancel.
    const weighted = (sql: string): string => (isWeighted(workspace) ? `(${sql}) * weight` : sql);
    const query = loadQuery('analysis-pairs')
      .replaceAll('/* q */', () => weighted(quantised(`value[${index + 1}]`, multiplier)))
      .replaceAll('/* d */', () => weighted(isRatio ? quantised(`denominator[${index + 1}]`, multiplier) : 'toInt128(1)'));
    await this.#insert(query, {...paramsOf(workspace), ...arms, metric: index, multiplier, divisor: isRatio ? multiplier : 1});
    workspace.paired.add(name);
  }

  async drop({id}: Workspace): Promise<void> {
    for (const table of TABLES) await this.#dropPartition(table, id);
  }

  async #insertOutcomes(workspace: Workspace, of: {readonly units?: string; readonly sign?: number; readonly since?: number; readonly through?: number; readonly from?: number}): Promise<void> {
    const {scope, metrics, id} = workspace;
    const columns = metricColumns(metrics, endsOf(workspace));
    // Before any step was added each unit has one row.
    const units = of.units ?? `${UNITS.replace(' FINAL', '')} workspace = ${quoteString(id)}`;
    const query = withColumns(loadQuery(`analysis-outcomes-${scope.view.definition.design}`), columns).replace('/* units */', () => units);
    await this.#insert(query, {
      ...paramsOf(workspace),
      sign: of.sign ?? 1,
      since_ms: of.since ?? 0,
      from_ms: of.from ?? 0,
      cut_ms: of.through ?? scope.cut,
    });
  }

  async #insertSeen(workspace: Workspace): Promise<void> {
    for (const [metric, one] of workspace.metrics.entries()) {
      if (hasDistribution(one)) await this.#insert(loadQuery('analysis-values-seen'), {...paramsOf(workspace), metric});
    }
  }

  /** When the earliest of these units was first exposed; null without units. */
  async #firstOf(where: string): Promise<number | null> {
    const [row] = await this.#connection.select<{first: string | null}>(`SELECT minOrNull(first_ms) AS first FROM analysis_units WHERE ${where}`);
    return row?.first === null || row === undefined ? null : Number(row.first);
  }

  /** Over outcomes, and over the exposures of units that count. */
  async #weights(workspace: string, ofOutcomes: string): Promise<WeightRange> {
    const sql = `SELECT count() AS n, toString(min(low)) AS least_weight, toString(max(high)) AS largest_weight FROM (
      ${ofOutcomes} workspace = {workspace:String} HAVING count() > 0
      UNION ALL
      SELECT min(weight) AS low, max(weight) AS high FROM analysis_units FINAL
      WHERE workspace = {workspace:String} AND NOT is_crossover AND variant != '' HAVING count() > 0
    )`;
    // Units of another workspace have the same keys.
    const [row] = await this.#connection.select<{n: string; least_weight: string; largest_weight: string}>(sql, {workspace}, FINAL_WITHIN_PARTITIONS);
    return row === undefined || Number(row.n) === 0 ? UNSAMPLED : {low: Number(row.least_weight), high: Number(row.largest_weight)};
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
    for (const {table, partition} of await this.#connection.select<{table: string; partition: string}>(sql, {tables: TABLES, age: ABANDONED_AFTER_S})) {
      await this.#dropPartition(table, partition.replaceAll("'", ''));
    }
  }

  #dropPartition(table: string, partition: string): Promise<void> {
    return this.#connection.command(`ALTER TABLE ${table} DROP PARTITION ${quoteString(partition)}`);
  }

  #insert(sql: string, params: SqlParams): Promise<void> {
    return this.#connection.command(sql, params, INSERT_SETTINGS);
  }
}

export const isSplit = ({view}: Pick<AnalysisScope, 'view'>): boolean => view.definition.design === 'split';

export function paramsOf({id, scope, step}: Workspace): SqlParams {
  return {...scopeParams(scope, null), workspace: id, step};
}

function withColumns(sql: string, {present, values, denominators}: MetricColumns): string {
  return sql
    .replace('/* present */', () => present)
    .replace('/* values */', () => values)
    .replace('/* denominators */', () => denominators);
}

/** By metric: outcomes of the phase count before it, in ms; 0 for ever. */
const endsOf = ({scope, metrics}: Workspace): number[] => metrics.map(metric => Number(scopeParams(scope, metric)['end_ms']));

const withUnits = (query: string): string => loadQuery(query).replace('/* units met */', () => loadQuery('analysis-units-met'));

/** In a split a unit has one variant, and one key to group by is much the faster. */
function withTotals(query: string, workspace: Workspace): string {
  const {scope} = workspace;
  return loadQuery(query)
    .replace('/* totals */', () => totalColumns(workspace.metrics, endsOf(workspace), isWeighted(workspace)))
    .replace('/* variant */', isSplit(scope) ? 'any(analysis_outcomes.variant) AS variant' : 'variant')
    .replace('/* unit */', isSplit(scope) ? 'key' : 'key, variant');
}
