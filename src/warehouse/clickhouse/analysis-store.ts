import {hasDistribution, type Metric} from '../../core/experiment.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';
import type {Verdict} from '../../core/verdict.ts';
import {groupsOfColumns, NO_VALUES, type ValueChange, type ValueGroups, withChanges} from '../value-groups.ts';
import type {AnalysisScope, AnalysisStore, ArmTotals, ExposureCounts, PairGroups, RelabelledArm, WeightedAsk, WeightedSums} from '../warehouse.ts';
import {explainMetric} from './analysis-explain.ts';
import {armChangeColumns, armColumns, perArm, quantised, unitMean} from './analysis-columns.ts';
import {type ArmChange, Carried, Kept, withArmChanges} from './analysis-carried.ts';
import {UNITS_ALONE} from './analysis-joined.ts';
import {fromTables, scopeParams} from './analysis-scope.ts';
import {AnalysisWorkspaces, isSplit, isWeighted, paramsOf, stepOf, type Workspace} from './analysis-workspaces.ts';
import {type ArmColumns, type ArmRow, armRowsOf, type ArmUnits, toArmTotals, type ValueSums} from './arm-rows.ts';
import type {SqlConnection, SqlParams, SqlSettings} from './connection.ts';
import {PairStore, SPILLING} from './pair-store.ts';
import {loadQuery, loadQueryWithout} from './query-file.ts';
import {FINAL_WITHIN_PARTITIONS} from './slice-recompute.ts';
import {literal} from './sql-text.ts';
import {areAlone, sizeOfTally, type TallyChange, type TallyRow, tallyOf, type UnitCounts, type UnitLook, type UnitTally, unitCountsOf, unitLooksOf, withUnitsChanged} from './unit-tally.ts';
import {WeightedStore} from './weighted-store.ts';

/** A running one is made anew now and then, so that what was added to it in small steps does not pile up. */
const STEPS_MAX = 2_000;
/** Running experiments kept at hand; the one looked at longest ago goes first. */
const LIVE_MAX = 200;
/** Units of a running experiment that are kept from look to look, 16 bytes each; of more, each look asks for all. */
const TALLIED_MAX = 2_000_000;

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
  readonly #weighted: WeightedStore;
  readonly #armRows = new Kept<ArmRow[]>();
  readonly #unitsByArm = new Kept<ReadonlyMap<string, ArmUnits>>();
  readonly #counted = new Kept<UnitCounts[]>();
  readonly #spreads = new Kept<SpreadRow[]>();
  readonly #summed = new Kept<OutcomeSums>();
  readonly #carried = new Carried();
  readonly #prepared = new Map<AnalysisScope, Workspace>();
  /** Of running experiments, by stream and experiment. */
  readonly #live = new Map<string, Workspace>();

  constructor(connection: SqlConnection) {
    this.#connection = connection;
    this.#workspaces = new AnalysisWorkspaces(connection);
    this.#pairs = new PairStore(connection);
    this.#weighted = new WeightedStore(connection);
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
    const workspace = extended ?? (await this.#workspaces.build(scope, metrics, {isLive: true}));
    this.#live.set(name, workspace);
    for (const [oldest, least] of [...this.#live].slice(0, Math.max(0, this.#live.size - LIVE_MAX))) {
      this.#live.delete(oldest);
      await this.#workspaces.drop(least);
    }
    this.#prepared.set(scope, workspace);
    this.#carried.keep(new Set([...this.#live.values()].map(({id}) => id)));
  }

  async release(scope: AnalysisScope): Promise<void> {
    const workspace = this.#prepared.get(scope);
    this.#prepared.delete(scope);
    if (workspace === undefined || [...this.#live.values()].includes(workspace)) return;
    await this.#workspaces.drop(workspace);
  }

  async newestPhase(scope: Omit<AnalysisScope, 'phase'>): Promise<number | null> {
    const params = scopeParams({...scope, phase: 0}, null);
    const {design} = scope.view.definition;
    if (design === 'split') {
      const [row] = await this.#select<{only: number | null; is_seen: number; forgotten: string}>(loadQuery('phase-only'), params);
      if (row?.only != null && row.is_seen === 1 && Number(row.forgotten) === 0) return row.only;
    }
    const [row] = await this.#select<{phase: number | null}>(loadQuery(`phase-newest-${design}`), params);
    return row?.phase ?? null;
  }

  exposureCounts(scope: AnalysisScope): Promise<ExposureCounts> {
    return this.#ask(scope, null, async ({workspace}) => {
      const params = paramsOf(workspace);
      const arms = await this.#counts(workspace);
      const named = arms.filter(({arm}) => arm !== '');
      return {
        units: Object.fromEntries(named.map(({arm, units}) => [arm, Number(units)])),
        crossoverUnits: Number(arms.find(({arm}) => arm === '')?.units ?? 0),
        overrideUnits: await this.#overrides(params),
        withoutOutcome: Object.fromEntries(named.map(({arm, without_outcome}) => [arm, Number(without_outcome)])),
        ...(isSplit(scope) ? {due: dueOf(named), firstSeen: await this.#firstSeen(workspace)} : {}),
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

  valueGroups(scope: AnalysisScope, metric: Metric, {per, listedMax}: {readonly per: 'outcome' | 'unit'; readonly listedMax: number}): Promise<ValueGroups> {
    return this.#ask(scope, metric, async ({workspace, metric: index}) => {
      const params = {...paramsOf(workspace), metric: index, limit: listedMax + 1};
      if (per === 'outcome' && isWeighted(workspace)) return this.#weighted.valueGroups(params);
      const list = (query: string): string => loadQuery(query).replace('/* mean */', () => unitMean(metric));
      const [query, ofArm] = per === 'outcome' ? ['analysis-values-list', (isArm: string) => `sumIf(count, ${isArm})`] : ['analysis-units-list', (isArm: string) => `countIf(${isArm})`];
      const load = (): Promise<ValueGroups> => this.#groups(list(query), workspace.arms, {count: isArm => `toFloat64(${ofArm(isArm)})`, params});
      if (isWeighted(workspace)) return load();
      return this.#carried.of(workspace, `${per} ${index} ${listedMax}`, {
        load,
        // Of a list cut short the rest is not known.
        change: async groups => (groups.values.length > listedMax ? null : withChanges(groups, await this.#select<ValueChange>(list(`${query}-changed`), {...params, changed: stepOf(workspace)}))),
        sizeOf: ({values, counts}) => values.length * (1 + Object.keys(counts).length),
      });
    });
  }

  weightedSums(scope: AnalysisScope, metric: Metric, of: WeightedAsk): Promise<WeightedSums[]> {
    return this.#ask(scope, metric, ({workspace, metric: index}) => this.#weighted.sums({...paramsOf(workspace), metric: index}, of));
  }

  pairGroups(
    scope: AnalysisScope,
    metric: Metric,
    {control, variant, listedMax}: {readonly control: string; readonly variant: string; readonly listedMax: number},
  ): Promise<PairGroups> {
    return this.#ask(scope, metric, async ({workspace, metric: index}) => {
      const pairs = await this.#workspaces.insertPairs(workspace, index, {control, variant});
      return this.#pairs.pairGroups(pairs, listedMax);
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

  /** Exposed units of each arm, with what they weigh where events have several weights. */
  #units(workspace: Workspace): Promise<ReadonlyMap<string, ArmUnits>> {
    return this.#unitsByArm.of(workspace, async () => {
      if (!isWeighted(workspace)) {
        const counts = await this.#counts(workspace);
        return new Map(counts.filter(({arm}) => arm !== '').map(({arm, units}) => [arm, {units: Number(units), weight: 0n, weightSquares: 0n}]));
      }
      const sql = 'SELECT variant, count() AS units, toString(sum(toInt128(weight))) AS units_weight, toString(sum(toInt128(weight) * weight)) AS squares FROM analysis_units FINAL WHERE workspace = {workspace:String} AND NOT is_crossover AND variant != \'\' GROUP BY variant';
      const rows = await this.#select<{variant: string; units: string; units_weight: string; squares: string}>(sql, paramsOf(workspace));
      return new Map(rows.map(({variant, units, units_weight: weight, squares}) => [variant, {units: Number(units), weight: BigInt(weight), weightSquares: BigInt(squares)}]));
    });
  }

  #counts(workspace: Workspace): Promise<UnitCounts[]> {
    return this.#counted.of(workspace, async () => {
      const tally = await this.#tally(workspace);
      if (tally !== null) return unitCountsOf(tally, workspace.scope.cut);
      // After one step a unit has one row with outcomes.
      const query = isSplit(workspace.scope) ? loadQueryWithout('analysis-unit-counts', [workspace.step === 1 ? 'several steps' : 'one step']) : loadQuery('analysis-item-counts');
      return this.#select<UnitCounts>(query, paramsOf(workspace));
    });
  }

  /** Null where units are counted by the engine. */
  async #tally(workspace: Workspace): Promise<UnitTally | null> {
    if (!workspace.isLive) return null;
    const params = paramsOf(workspace);
    return this.#carried.of<UnitTally | null>(workspace, 'units', {
      load: async () => {
        const units = await this.#count('SELECT count() AS units FROM analysis_units WHERE workspace = {workspace:String}', params);
        return units > TALLIED_MAX ? null : tallyOf(await this.#select<TallyRow>(loadQuery('analysis-unit-tally'), params, SPILLING));
      },
      change: async known => known && withUnitsChanged(known, await this.#select<TallyChange>(loadQuery('analysis-unit-tally-changed'), {...params, changed: stepOf(workspace)})),
      sizeOf: tally => (tally === null ? 0 : sizeOfTally(tally)),
    });
  }

  /** Columns instead of rows: values are many. */
  async #groups(query: string, arms: readonly string[], {count, params}: {readonly count: (isArm: string) => string; readonly params: SqlParams}): Promise<ValueGroups> {
    if (arms.length === 0) return NO_VALUES;
    const sql = query.replace('/* counts */', () => perArm(arms, count)).replace('/* columns */', () => arms.map((_, arm) => `groupArray(n[${arm + 1}])`).join(', '));
    const [row] = await this.#select<{points: number[]; counts: number[][]}>(sql, params, SPILLING);
    return groupsOfColumns(Float64Array.from(row?.points ?? []), Object.fromEntries(arms.map((name, arm) => [name, Float64Array.from(row?.counts[arm] ?? [])])));
  }

  /** Σq² and Σq of the outcomes as they were sent; a share's are 0 and 1. */
  async #values({workspace, metric: index}: Asked, arms: readonly ArmRow[]): Promise<Map<string, ValueSums>> {
    const metric = workspace.metrics[index];
    if (metric === undefined) return new Map();
    const one = 10n ** BigInt(metric.scale);
    if (metric.aggregate === 'share' && !isWeighted(workspace)) return new Map(arms.map(arm => [arm.variant, {squares: BigInt(arm.sum_q) * one, plainSum: 0n}]));
    if (!hasDistribution(metric)) return new Map();
    const rows = (await this.#spread(workspace)).filter(row => Number(row.metric) === index);
    return new Map(rows.map(row => [row.variant, {squares: BigInt(row.sum_squares_q), plainSum: BigInt(row.plain_sum_q)}]));
  }

  /** One query for all metrics of a workspace. */
  #spread(workspace: Workspace): Promise<SpreadRow[]> {
    return this.#spreads.of(workspace, async () => {
      const {metrics, largest} = workspace;
      const {outcomes} = await this.#sums(workspace);
      const sizes = metrics.map(({scale}, metric) => (largest[metric] ?? 0) * 10 ** scale);
      const isNarrow = sizes.every(size => size < 2 ** 62 && size * size * outcomes < 2 ** 125);
      // The q of a value is that of its one product, whichever column the factor comes from.
      const q = quantised('value', `CAST([${metrics.map(({scale}) => literal(10 ** scale)).join(', ')}], 'Array(Float64)')[metric + 1]`, Math.max(0, ...sizes));
      const sql = loadQuery('analysis-spread')
        .replace('/* q */', () => q)
        .replaceAll('/* count */', isNarrow ? 'toInt128(count)' : 'toInt256(count)');
      return this.#select<SpreadRow>(sql, paramsOf(workspace));
    });
  }

  /** Without such exposures among all copies of all events there is none to look for. */
  async #overrides(params: SqlParams): Promise<number> {
    const any = "SELECT count() FROM exposures WHERE stream = {stream:String} AND experiment = {experiment:String} AND phase = {phase:UInt32} AND reason != 'assigned'";
    return (await this.#count(any, params)) === 0 ? 0 : this.#count(loadQuery('override-units'), params);
  }

  async #outcomes(workspace: Workspace): Promise<Pick<ExposureCounts, 'outcomesLate' | 'outcomesUnattributed'>> {
    const {outcomes, late} = await this.#sums(workspace);
    return {outcomesLate: late, outcomesUnattributed: await this.#unattributed(workspace, outcomes)};
  }

  #sums(workspace: Workspace): Promise<OutcomeSums> {
    type Row = {attributed: string; late: string; of_unit: string};
    const ask = async (sql: string, params: SqlParams): Promise<OutcomeSums> => {
      const [row] = await this.#select<Row>(sql, params);
      return {outcomes: Number(row?.attributed ?? 0), late: Number(row?.late ?? 0), ofUnit: Number(row?.of_unit ?? 0)};
    };
    const params = paramsOf(workspace);
    return this.#summed.of(workspace, () =>
      this.#carried.of(workspace, 'sums', {
        load: () => ask('SELECT sum(outcomes) AS attributed, sum(outcomes_late) AS late, max(outcomes) AS of_unit FROM analysis_totals FINAL WHERE workspace = {workspace:String}', params),
        change: async known => {
          const signed = (column: string): string => `sum(if(step = {step:UInt32}, toInt64(${column}), -toInt64(${column})))`;
          const sql = `SELECT ${signed('outcomes')} AS attributed, ${signed('outcomes_late')} AS late, max(outcomes) AS of_unit FROM analysis_recounts WHERE workspace = {changed:String}`;
          const change = await ask(sql, {...params, changed: stepOf(workspace)});
          return {outcomes: known.outcomes + change.outcomes, late: known.late + change.late, ofUnit: Math.max(known.ofUnit, change.ofUnit)};
        },
      }),
    );
  }

  /**
   * The general question joins all outcomes with all exposures. Where no experiment of the stream is paired or in a
   * later phase and nobody was forgotten, a join of two columns answers it; with one experiment, a subtraction.
   */
  async #unattributed(workspace: Workspace, attributed: number): Promise<number> {
    const {scope, accepted} = workspace;
    const params = paramsOf(workspace);
    // Established when the workspace was made, or by an earlier question.
    if (accepted.through === scope.cut) return accepted.outcomes - attributed;
    const tally = await this.#tally(workspace);
    const unitsAlone = tally === null ? UNITS_ALONE : String(Number(areAlone(tally)));
    const plain = loadQuery('stream-is-plain').replace('/* units alone */', () => unitsAlone);
    const [row] = await this.#select<{is_plain: number; is_alone: number}>(plain, {...params, alone_through_ms: accepted.through});
    if (row?.is_alone !== 1 || !isSplit(scope) || scope.phase !== 1) {
      return this.#count(loadQuery(row?.is_plain === 1 ? 'outcomes-unattributed-one-phase' : 'outcomes-unattributed'), params);
    }
    accepted.outcomes += await this.#count(loadQuery('outcomes-accepted'), {...params, since_ms: accepted.through});
    accepted.through = scope.cut;
    return accepted.outcomes - attributed;
  }

  /** One query for all metrics of a workspace. */
  #arms(workspace: Workspace): Promise<ArmRow[]> {
    return this.#armRows.of(workspace, async () => {
      const {metrics, largest} = workspace;
      if (isWeighted(workspace)) return this.#select<ArmRow>(loadQuery('analysis-arms-weighted'), paramsOf(workspace));
      const {outcomes, ofUnit} = await this.#sums(workspace);
      const sql = loadQuery('analysis-arms').replace('/* columns */', () => armColumns(metrics, largest, {outcomes, ofUnit}));
      const changed = loadQuery('analysis-arms-changed').replace('/* columns */', () => armChangeColumns(metrics));
      const sums = await this.#carried.of(workspace, 'arms', {
        load: () => this.#select<ArmColumns>(sql, paramsOf(workspace)),
        change: async arms => withArmChanges(arms, await this.#select<ArmChange>(changed, {...paramsOf(workspace), changed: stepOf(workspace)})),
      });
      return armRowsOf(sums);
    });
  }

  async #firstSeen(workspace: Workspace): Promise<NonNullable<ExposureCounts['firstSeen']>> {
    const tally = await this.#tally(workspace);
    const rows = tally === null ? await this.#select<UnitLook>(loadQuery('analysis-unit-looks'), paramsOf(workspace)) : unitLooksOf(tally);
    const looks = new Map<number, Record<string, number>>();
    for (const {until, arm, units} of rows) looks.set(Number(until), {...looks.get(Number(until)), [arm]: Number(units)});
    return [...looks].map(([until, units]) => ({until: epochMs(until), units}));
  }

  #select<Row>(sql: string, params: SqlParams, settings: SqlSettings = {}): Promise<Row[]> {
    return this.#connection.select<Row>(fromTables(sql, params), params, {...FINAL_WITHIN_PARTITIONS, ...settings});
  }

  /** A query of one row and one column. */
  async #count(sql: string, params: SqlParams): Promise<number> {
    const [row] = await this.#select<Record<string, string>>(sql, params);
    return Number(Object.values(row ?? {})[0] ?? 0);
  }
}

type SpreadRow = {readonly metric: number; readonly variant: string; readonly sum_squares_q: string; readonly plain_sum_q: string};
type OutcomeSums = {readonly outcomes: number; readonly late: number; readonly ofUnit: number};

function dueOf(arms: readonly UnitCounts[]): NonNullable<ExposureCounts['due']> {
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
