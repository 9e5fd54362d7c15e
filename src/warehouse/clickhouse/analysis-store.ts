import type {Metric} from '../../core/experiment.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';
import type {Verdict} from '../../core/verdict.ts';
import type {AnalysisScope, AnalysisStore, ArmTotals, ExposureCounts, PairGroups, ValueGroup} from '../warehouse.ts';
import {explainMetric} from './analysis-explain.ts';
import {analysisSql, metricParams, scopeParams} from './analysis-scope.ts';
import type {SqlConnection, SqlParams} from './connection.ts';
import {type ItemSums, pairGroupsOf, unitGroupsOf, type UnitSums} from '../exact-groups.ts';
import {loadQuery} from './query-file.ts';
import {FINAL_WITHIN_PARTITIONS} from './slice-recompute.ts';

/** Reads what a verdict needs of one experiment × phase under one cut; counts and integers in SQL, divisions here. */
export class ClickHouseAnalysisStore implements AnalysisStore {
  readonly #connection: SqlConnection;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
  }

  async newestPhase(scope: Omit<AnalysisScope, 'phase'>): Promise<number | null> {
    const query = loadQuery(`phase-newest-${scope.view.definition.design}`);
    const [row] = await this.#select<{phase: number | null}>(query, scopeParams({...scope, phase: 0}, null));
    return row?.phase ?? null;
  }

  async exposureCounts(scope: AnalysisScope): Promise<ExposureCounts> {
    type Arm = {arm: string; units: string; without_outcome: string | number; due?: string; due_without_outcome?: string; grace?: string};
    const params = scopeParams(scope, null);
    const design = scope.view.definition.design;
    const arms = await this.#select<Arm>(analysisSql(scope, `exposure-counts-${design}`), params);
    const named = arms.filter(({arm}) => arm !== '');
    return {
      units: Object.fromEntries(named.map(({arm, units}) => [arm, Number(units)])),
      crossoverUnits: Number(arms.find(({arm}) => arm === '')?.units ?? 0),
      overrideUnits: await this.#count(loadQuery('override-units'), params),
      withoutOutcome: Object.fromEntries(named.map(({arm, without_outcome}) => [arm, Number(without_outcome)])),
      ...(design === 'split' ? {due: dueOf(named), firstSeen: await this.#firstSeen(scope, params)} : {}),
      outcomesLate: await this.#count(analysisSql(scope, 'outcomes-late'), params),
      outcomesUnattributed: await this.#count(loadQuery('outcomes-unattributed'), params),
    };
  }

  async armTotals(scope: AnalysisScope, metric: Metric): Promise<ArmTotals[]> {
    const rows = await this.#select<ArmRow>(analysisSql(scope, 'arm-totals'), metricParams(scope, metric));
    return rows.map(toArmTotals);
  }

  async valueGroups(scope: AnalysisScope, metric: Metric, per: 'outcome' | 'unit'): Promise<ValueGroup[]> {
    const params = metricParams(scope, metric);
    if (per === 'unit') {
      type Row = {variant: string; sum_q: string; denominator_q: string; units: string};
      const rows = await this.#select<Row>(analysisSql(scope, 'value-groups-per-unit'), params);
      return unitGroupsOf(rows.map(toUnitSums), metric);
    }
    type Row = {point: number; variants: readonly string[]; counts: readonly string[]};
    const rows = await this.#select<Row>(analysisSql(scope, 'value-groups-per-outcome'), params);
    return rows.map(({point, variants, counts}) => ({value: point, counts: countsOf(variants, counts)}));
  }

  async pairGroups(
    scope: AnalysisScope,
    metric: Metric,
    arms: {readonly control: string; readonly variant: string},
  ): Promise<PairGroups> {
    const rows = await this.#select<PairRow>(analysisSql(scope, 'pair-groups'), {...metricParams(scope, metric), ...arms});
    return pairGroupsOf(rows.map(toItemSums), metric);
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

  explainSql(scope: AnalysisScope, metric: Metric): string {
    return explainMetric(scope, metric);
  }

  async #firstSeen(scope: AnalysisScope, params: SqlParams): Promise<NonNullable<ExposureCounts['firstSeen']>> {
    const rows = await this.#select<{until: string; arm: string; units: string}>(analysisSql(scope, 'exposure-looks-split'), params);
    const looks = new Map<number, Record<string, number>>();
    for (const {until, arm, units} of rows) looks.set(Number(until), {...looks.get(Number(until)), [arm]: Number(units)});
    return [...looks].map(([until, units]) => ({until: epochMs(until), units}));
  }

  #select<Row>(sql: string, params: SqlParams): Promise<Row[]> {
    return this.#connection.select<Row>(sql, params, FINAL_WITHIN_PARTITIONS);
  }

  /** A query of one row and one column. */
  async #count(sql: string, params: SqlParams): Promise<number> {
    const [row] = await this.#select<Record<string, string>>(sql, params);
    return Number(Object.values(row ?? {})[0] ?? 0);
  }
}

type DueRow = {readonly arm: string; readonly due?: string; readonly due_without_outcome?: string; readonly grace?: string};

function dueOf(arms: readonly DueRow[]): NonNullable<ExposureCounts['due']> {
  return {
    graceMs: Number(arms[0]?.grace ?? 0),
    byVariant: Object.fromEntries(arms.map(({arm, due, due_without_outcome}) => [arm, {units: Number(due), withoutOutcome: Number(due_without_outcome)}])),
  };
}

type ArmRow = {
  readonly variant: string;
  readonly units: string;
  readonly units_with_outcome: string;
  readonly outcomes: string;
  readonly sum_q: string;
  readonly sum_squares_q: string;
  readonly denominator_q: string;
  readonly unit_sum_squares_q: string;
  readonly unit_denominator_squares_q: string;
  readonly unit_cross_q: string;
  readonly min: number;
  readonly max: number;
  readonly event_from: string;
  readonly event_to: string;
};

function toArmTotals(row: ArmRow): ArmTotals {
  const isEmpty = Number(row.outcomes) === 0;
  return {
    variant: row.variant,
    units: Number(row.units),
    unitsWithOutcome: Number(row.units_with_outcome),
    outcomes: Number(row.outcomes),
    sumQ: BigInt(row.sum_q),
    sumSquaresQ: BigInt(row.sum_squares_q),
    denominatorQ: BigInt(row.denominator_q),
    unitSumSquaresQ: BigInt(row.unit_sum_squares_q),
    unitDenominatorSquaresQ: BigInt(row.unit_denominator_squares_q),
    unitCrossQ: BigInt(row.unit_cross_q),
    min: isEmpty ? null : row.min,
    max: isEmpty ? null : row.max,
    eventFrom: isEmpty ? null : epochMs(Number(row.event_from)),
    eventTo: isEmpty ? null : epochMs(Number(row.event_to)),
  };
}

/** An arm appears more than once when different ratios have one quotient. */
function countsOf(variants: readonly string[], counts: readonly string[]): Record<string, number> {
  const byVariant: Record<string, number> = {};
  for (const [index, variant] of variants.entries()) byVariant[variant] = (byVariant[variant] ?? 0) + Number(counts[index]);
  return byVariant;
}

const toUnitSums = (row: {variant: string; sum_q: string; denominator_q: string; units: string}): UnitSums => ({
  variant: row.variant,
  sumQ: BigInt(row.sum_q),
  denominatorQ: BigInt(row.denominator_q),
  units: Number(row.units),
});

type PairRow = {
  readonly control_q: string;
  readonly control_denominator_q: string;
  readonly variant_q: string;
  readonly variant_denominator_q: string;
  readonly items: string;
  readonly event_from: string;
  readonly event_to: string;
};

const toItemSums = (row: PairRow): ItemSums => ({
  control: {sumQ: BigInt(row.control_q), denominatorQ: BigInt(row.control_denominator_q)},
  variant: {sumQ: BigInt(row.variant_q), denominatorQ: BigInt(row.variant_denominator_q)},
  items: Number(row.items),
  eventFrom: epochMs(Number(row.event_from)),
  eventTo: epochMs(Number(row.event_to)),
});
