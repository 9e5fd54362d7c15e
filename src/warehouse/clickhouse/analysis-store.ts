import {hasDistribution, type Metric} from '../../core/experiment.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';
import type {Verdict} from '../../core/verdict.ts';
import type {AnalysisScope, AnalysisStore, ArmTotals, ExposureCounts, PairGroups, RelabelledArm, ValueGroup} from '../warehouse.ts';
import {explainMetric} from './analysis-explain.ts';
import {quantised, unitMean} from './analysis-columns.ts';
import {scopeParams} from './analysis-scope.ts';
import {AnalysisWorkspaces, isSplit, isWeighted, paramsOf, type Workspace} from './analysis-workspaces.ts';
import {type ArmRow, type ArmUnits, toArmTotals, type ValueSums} from './arm-rows.ts';
import type {SqlConnection, SqlParams, SqlSettings} from './connection.ts';
import {PairStore, SPILLING} from './pair-store.ts';
import {loadQuery} from './query-file.ts';
import {FINAL_WITHIN_PARTITIONS} from './slice-recompute.ts';
import {quoteString} from './sql-text.ts';

/** A running one is made anew now and then, so that what was added to it in small steps does not pile up. */
const STEPS_MAX = 2_000;
/** Running experiments kept at hand; the one looked at longest ago goes first. */
const LIVE_MAX = 200;

const COLLAPSING = /\b(analysis_units|analysis_totals) FINAL\b/g;

type Asked = {readonly workspace: Workspace; readonly metric: number};

/**
 * Reads what a verdict needs of one experiment × phase under one cut; counts and
 * integers in SQL, divisions here. Questions are answered from a workspace
 * (analysis-workspaces.ts): the one `prepare` made, or one for the question alone.
 */
export class ClickHouseAnalysisStore implements AnalysisStore {
  readonly #connection: SqlConnection;
  readonly #workspaces: AnalysisWorkspaces;
  readonly #pairs: PairStore;
  readonly #armRows = new WeakMap<Workspace, Promise<ArmRow[]>>();
  readonly #unitRows = new WeakMap<Workspace, Promise<ReadonlyMap<string, ArmUnits>>>();
  readonly #prepared = new Map<AnalysisScope, Workspace>();
  /** Of running experiments, by stream and experiment. */
  readonly #live = new Map<string, Workspace>();

  constructor(connection: SqlConnection) {
    this.#connection = connection;
    this.#workspaces = new AnalysisWorkspaces(connection);
    this.#pairs = new PairStore(connection);
  }

  async prepare(scope: AnalysisScope, {live} = {live: false}): Promise<void> {
    const {metrics} = scope.view.definition;
    if (!live || !isSplit(scope)) {
      this.#prepared.set(scope, await this.#workspaces.build(scope, metrics));
      return;
    }
    const name = JSON.stringify([scope.stream, scope.view.experiment]);
    const known = this.#live.get(name);
    // Forgotten here first: a step that failed half-way leaves nothing that may be used.
    this.#live.delete(name);
    const isSame = known !== undefined && known.step < STEPS_MAX && contentOf(known.scope) === contentOf(scope);
    const extended = isSame ? await this.#extend(known, scope) : null;
    if (extended === null && known !== undefined) await this.#workspaces.drop(known);
    const workspace = extended ?? (await this.#workspaces.build(scope, metrics));
    this.#live.set(name, workspace);
    for (const [oldest, least] of [...this.#live].slice(0, Math.max(0, this.#live.size - LIVE_MAX))) {
      this.#live.delete(oldest);
      await this.#workspaces.drop(least);
    }
    this.#prepared.set(scope, workspace);
  }

  async release(scope: AnalysisScope): Promise<void> {
    const workspace = this.#prepared.get(scope);
    this.#prepared.delete(scope);
    if (workspace === undefined || [...this.#live.values()].includes(workspace)) return;
    await this.#workspaces.drop(workspace);
  }

  async newestPhase(scope: Omit<AnalysisScope, 'phase'>): Promise<number | null> {
    const query = loadQuery(`phase-newest-${scope.view.definition.design}`);
    const [row] = await this.#select<{phase: number | null}>(query, scopeParams({...scope, phase: 0}, null));
    return row?.phase ?? null;
  }

  exposureCounts(scope: AnalysisScope): Promise<ExposureCounts> {
    return this.#ask(scope, null, async ({workspace}) => {
      type Arm = {arm: string; units: string; without_outcome: string | number; due?: string; due_without_outcome?: string; grace?: string};
      const params = paramsOf(workspace);
      const arms = await this.#select<Arm>(loadQuery(isSplit(scope) ? 'analysis-unit-counts' : 'analysis-item-counts'), params);
      const named = arms.filter(({arm}) => arm !== '');
      return {
        units: Object.fromEntries(named.map(({arm, units}) => [arm, Number(units)])),
        crossoverUnits: Number(arms.find(({arm}) => arm === '')?.units ?? 0),
        overrideUnits: await this.#count(loadQuery('override-units'), params),
        withoutOutcome: Object.fromEntries(named.map(({arm, without_outcome}) => [arm, Number(without_outcome)])),
        ...(isSplit(scope) ? {due: dueOf(named), firstSeen: await this.#firstSeen(params)} : {}),
        ...(await this.#outcomes(workspace)),
      };
    });
  }

  armTotals(scope: AnalysisScope, metric: Metric): Promise<ArmTotals[]> {
    return this.#ask(scope, metric, async ({workspace, metric: index}) => {
      const own = (await this.#arms(workspace)).filter(row => Number(row.metric) === index + 1);
      const units = isSplit(scope) ? await this.#units(workspace) : new Map(own.map(row => [row.variant, unitsOf(row)]));
      const values = await this.#values({workspace, metric: index}, own);
      return [...units.keys()].sort().map(variant => {
        const row = own.find(arm => arm.variant === variant);
        return toArmTotals({workspace, variant, units: units.get(variant), values: values.get(variant)}, row);
      });
    });
  }

  valueGroups(scope: AnalysisScope, metric: Metric, {per, listedMax}: {readonly per: 'outcome' | 'unit'; readonly listedMax: number}): Promise<ValueGroup[]> {
    return this.#ask(scope, metric, async ({workspace, metric: index}) => {
      const params = {...paramsOf(workspace), metric: index, limit: listedMax + 1};
      if (per === 'unit') {
        const variants = (await this.#arms(workspace)).filter(row => Number(row.metric) === index + 1).map(({variant: arm}) => arm);
        return this.#unitGroups(metric, variants, params);
      }
      type Row = {point: number; variants: readonly string[]; counts: readonly string[]};
      const rows = await this.#select<Row>(loadQuery('analysis-values-list'), params);
      return rows.map(({point, variants, counts}) => ({value: point, counts: countsOf(variants, counts)}));
    });
  }

  pairGroups(
    scope: AnalysisScope,
    metric: Metric,
    {control, variant, listedMax}: {readonly control: string; readonly variant: string; readonly listedMax: number},
  ): Promise<PairGroups> {
    return this.#ask(scope, metric, async ({workspace, metric: index}) => {
      await this.#workspaces.insertPairs(workspace, index, {control, variant});
      return this.#pairs.pairGroups({workspace: workspace.id, metric: index, variant}, listedMax);
    });
  }

  async relabelledArms(
    scope: AnalysisScope,
    {variant, relabellings, unitsMax}: {readonly variant: string; readonly relabellings: number; readonly unitsMax: number},
  ): Promise<RelabelledArm[]> {
    if (!isSplit(scope)) return [];
    return this.#ask(scope, scope.view.definition.metrics[0] ?? null, async ({workspace}) => {
      type Row = ArmRow & {relabelling: number; half: 0 | 1; units: string; units_weight?: string; units_weight_squares?: string};
      const params = {...paramsOf(workspace), variant, relabellings, units_max: unitsMax, metrics: workspace.metrics.length};
      const rows = await this.#select<Row>(loadQuery(isWeighted(workspace) ? 'analysis-relabelled-weighted' : 'analysis-relabelled'), params);
      return rows.flatMap(row => {
        const metric = workspace.metrics[Number(row.metric) - 1];
        // Σq² is needed only where a unit has one outcome, and then it is that of units.
        const values = {squares: BigInt(row.unit_sum_squares_q), plainSum: 0n};
        const units = {units: Number(row.units), weight: BigInt(row.units_weight ?? 0), weightSquares: BigInt(row.units_weight_squares ?? 0)};
        const totals = toArmTotals({workspace, variant: String(row.half), units, values}, {...row, event_from: '0', event_to: '0'});
        return metric === undefined ? [] : [{metric: metric.key, relabelling: row.relabelling, half: row.half, totals: {...totals, eventFrom: null, eventTo: null}}];
      });
    });
  }

  async offsetsUnder(stream: string, cut: EpochMs): Promise<Verdict['offsets']> {
    type Row = {log_epoch: number; partition: number; first: string; last: string};
    const rows = await this.#select<Row>(loadQuery('offsets-under'), {stream, cut_ms: cut});
    return rows.map(({log_epoch, partition, first, last}) => ({log_epoch, partition, from: first, to: last}));
  }

  async measuresSeen(stream: string, experiment: string): Promise<string[]> {
    const rows = await this.#select<{measure: string}>(loadQuery('measures-seen'), {stream, experiment});
    return rows.map(({measure}) => measure);
  }

  explainSql(scope: AnalysisScope, metric: Metric, isWeightedScope = false): string {
    return explainMetric(scope, metric, isWeightedScope);
  }

  /** Answers from the prepared workspace, or from one of its own. */
  async #ask<Answer>(scope: AnalysisScope, metric: Metric | null, answer: (asked: Asked) => Promise<Answer>): Promise<Answer> {
    const prepared = this.#prepared.get(scope);
    const index = metric === null ? 0 : (prepared?.metrics.indexOf(metric) ?? -1);
    if (prepared !== undefined && index >= 0) return answer({workspace: prepared, metric: index});
    const workspace = await this.#workspaces.build(scope, metric === null ? [] : [metric]);
    try {
      return await answer({workspace, metric: 0});
    } finally {
      await this.#workspaces.drop(workspace);
    }
  }

  async #extend(known: Workspace, scope: AnalysisScope): Promise<Workspace | null> {
    try {
      return await this.#workspaces.extend(known, scope);
    } catch (error) {
      await this.#workspaces.drop(known).catch(() => undefined);
      throw error;
    }
  }

  /** One query for all metrics of a workspace. */
  #units(workspace: Workspace): Promise<ReadonlyMap<string, ArmUnits>> {
    return kept(this.#unitRows, workspace, async () => {
      const sql = 'SELECT variant, count() AS units, toString(sum(toInt128(weight))) AS units_weight, toString(sum(toInt128(weight) * weight)) AS squares FROM analysis_units FINAL WHERE workspace = {workspace:String} AND NOT is_crossover AND variant != \'\' GROUP BY variant';
      const rows = await this.#select<{variant: string; units: string; units_weight: string; squares: string}>(sql, paramsOf(workspace));
      return new Map(rows.map(({variant, units, units_weight: weight, squares}) => [variant, {units: Number(units), weight: BigInt(weight), weightSquares: BigInt(squares)}]));
    });
  }

  /** Columns instead of rows: units are many, and so may their means be. */
  async #unitGroups(metric: Metric, variants: readonly string[], params: SqlParams): Promise<ValueGroup[]> {
    const query = loadQuery('analysis-units-list')
      .replace('/* mean */', () => unitMean(metric))
      .replace('/* counts */', () => variants.map(variant => `countIf(variant = ${quoteString(variant)})`).join(', '));
    if (variants.length === 0) return [];
    const [row] = await this.#select<{points: number[]; counts: (number | string)[][]}>(query, params, SPILLING);
    return (row?.points ?? []).map((value, at) => {
      const counts = row?.counts[at] ?? [];
      return {value, counts: Object.fromEntries(variants.flatMap((variant, arm) => (Number(counts[arm]) > 0 ? [[variant, Number(counts[arm])]] : [])))};
    });
  }

  /** Σq² and Σq of the outcomes as they were sent; a share's are 0 and 1. */
  async #values({workspace, metric: index}: Asked, arms: readonly ArmRow[]): Promise<Map<string, ValueSums>> {
    const metric = workspace.metrics[index];
    if (metric === undefined) return new Map();
    const one = 10n ** BigInt(metric.scale);
    if (metric.aggregate === 'share' && !isWeighted(workspace)) return new Map(arms.map(arm => [arm.variant, {squares: BigInt(arm.sum_q) * one, plainSum: 0n}]));
    if (!hasDistribution(metric)) return new Map();
    const sql = loadQuery('analysis-spread').replace('/* q */', () => quantised('value', 10 ** metric.scale));
    const rows = await this.#select<{variant: string; sum_squares_q: string; plain_sum_q: string}>(sql, {...paramsOf(workspace), metric: index});
    return new Map(rows.map(row => [row.variant, {squares: BigInt(row.sum_squares_q), plainSum: BigInt(row.plain_sum_q)}]));
  }

  async #outcomes(workspace: Workspace): Promise<Pick<ExposureCounts, 'outcomesLate' | 'outcomesUnattributed'>> {
    const sql = 'SELECT sum(outcomes) AS attributed, sum(outcomes_late) AS late FROM analysis_totals FINAL WHERE workspace = {workspace:String}';
    const [row] = await this.#select<{attributed: string; late: string}>(sql, paramsOf(workspace));
    return {outcomesLate: Number(row?.late ?? 0), outcomesUnattributed: await this.#unattributed(workspace, Number(row?.attributed ?? 0))};
  }

  /**
   * The general question joins all outcomes with all exposures. Where no experiment of the stream is paired or in a
   * later phase and nobody was forgotten, a join of two columns answers it; with one experiment, a subtraction.
   */
  async #unattributed(workspace: Workspace, attributed: number): Promise<number> {
    const {scope, accepted} = workspace;
    const params = paramsOf(workspace);
    const [row] = await this.#select<{is_plain: number; is_alone: number}>(loadQuery('stream-is-plain'), params);
    if (row?.is_alone !== 1 || !isSplit(scope) || scope.phase !== 1) {
      return this.#count(loadQuery(row?.is_plain === 1 ? 'outcomes-unattributed-one-phase' : 'outcomes-unattributed'), params);
    }
    if (accepted.through < scope.cut) {
      accepted.outcomes += await this.#count(loadQuery('outcomes-accepted'), {...params, since_ms: accepted.through});
      accepted.through = scope.cut;
    }
    return accepted.outcomes - attributed;
  }

  /** One query for all metrics of a workspace. */
  #arms(workspace: Workspace): Promise<ArmRow[]> {
    return kept(this.#armRows, workspace, () => this.#select<ArmRow>(loadQuery(isWeighted(workspace) ? 'analysis-arms-weighted' : 'analysis-arms'), paramsOf(workspace)));
  }

  async #firstSeen(params: SqlParams): Promise<NonNullable<ExposureCounts['firstSeen']>> {
    const rows = await this.#select<{until: string; arm: string; units: string}>(loadQuery('analysis-unit-looks'), params);
    const looks = new Map<number, Record<string, number>>();
    for (const {until, arm, units} of rows) looks.set(Number(until), {...looks.get(Number(until)), [arm]: Number(units)});
    return [...looks].map(([until, units]) => ({until: epochMs(until), units}));
  }

  #select<Row>(sql: string, params: SqlParams, settings: SqlSettings = {}): Promise<Row[]> {
    // After one step a unit has one row: there is nothing to collapse.
    const text = params['step'] === 1 ? sql.replaceAll(COLLAPSING, '$1') : sql;
    return this.#connection.select<Row>(text, params, {...FINAL_WITHIN_PARTITIONS, ...settings});
  }

  /** A query of one row and one column. */
  async #count(sql: string, params: SqlParams): Promise<number> {
    const [row] = await this.#select<Record<string, string>>(sql, params);
    return Number(Object.values(row ?? {})[0] ?? 0);
  }
}

function kept<Answer>(answers: WeakMap<Workspace, Promise<Answer>>, workspace: Workspace, ask: () => Promise<Answer>): Promise<Answer> {
  const known = answers.get(workspace);
  if (known !== undefined) return known;
  const answer = ask();
  answers.set(workspace, answer);
  answer.catch(() => answers.delete(workspace));
  return answer;
}

type DueRow = {readonly arm: string; readonly due?: string; readonly due_without_outcome?: string; readonly grace?: string};

function dueOf(arms: readonly DueRow[]): NonNullable<ExposureCounts['due']> {
  return {
    graceMs: Number(arms[0]?.grace ?? 0),
    byVariant: Object.fromEntries(arms.map(({arm, due, due_without_outcome}) => [arm, {units: Number(due), withoutOutcome: Number(due_without_outcome)}])),
  };
}

/** In a paired experiment an arm's units are those with an outcome. */
const unitsOf = (row: ArmRow): ArmUnits =>
  ({units: Number(row.units_with_outcome), weight: BigInt(row.answered ?? 0), weightSquares: BigInt(row.answered_squares ?? 0)});

/** What a workspace holds besides its cut: with the same of it, a later cut is a continuation. */
function contentOf({stream, view, phase}: AnalysisScope): string {
  const {design, variants, metrics} = view.definition;
  return JSON.stringify([stream, view.experiment, phase, design, variants.map(({key}) => key), metrics, view.phases]);
}

/** An arm appears more than once when different ratios have one quotient. */
function countsOf(variants: readonly string[], counts: readonly string[]): Record<string, number> {
  const byVariant: Record<string, number> = {};
  for (const [index, variant] of variants.entries()) byVariant[variant] = (byVariant[variant] ?? 0) + Number(counts[index]);
  return byVariant;
}
