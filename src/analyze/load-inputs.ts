import {hasDistribution, type Metric} from '../core/experiment.ts';
import {NO_VALUES} from '../warehouse/value-groups.ts';
import type {AnalysisScope, AnalysisStore, ArmTotals, PairGroups, WeightedSums} from '../warehouse/warehouse.ts';
import {RELABELLED_UNITS_MAX, RELABELLINGS} from './calibrate.ts';
import {type AnalysisInputs, type Distribution, isWeighted, type MetricInputs, NOT_A_DISTRIBUTION, quantileOf, treatmentsOf, type WeightedInputs} from './inputs.ts';
import {weightedQuantilesOf} from './quantiles.ts';

/** Distinct values of one metric held in memory at most; 8 bytes each, and as many an arm. Beyond it rank tests and quantiles say so. */
export const DISTINCT_VALUES_MAX = 1_000_000;

const RELABELLING = {relabellings: RELABELLINGS, unitsMax: RELABELLED_UNITS_MAX};

/** Everything the rows need: facts are read once, then asked metric after metric. */
export async function loadInputs(warehouse: AnalysisStore, scope: AnalysisScope, options: {readonly live: boolean; readonly calibrate?: boolean} = {live: false}): Promise<AnalysisInputs> {
  await warehouse.prepare(scope, options);
  try {
    const metrics: MetricInputs[] = [];
    for (const metric of scope.view.definition.metrics) metrics.push(await loadMetric(warehouse, scope, metric));
    return {
      scope,
      exposures: await warehouse.exposureCounts(scope),
      offsets: await warehouse.offsetsUnder(scope.stream, scope.cut),
      metrics,
      relabelled: options.calibrate === true ? await warehouse.relabelledArms(scope, {variant: scope.view.definition.control, ...RELABELLING}) : null,
    };
  } finally {
    await warehouse.release(scope);
  }
}

async function loadMetric(warehouse: AnalysisStore, scope: AnalysisScope, metric: Metric): Promise<MetricInputs> {
  const totals = await warehouse.armTotals(scope, metric);
  const outcomeGroups = await loadGroups(warehouse, scope, {metric, per: 'outcome'});
  return {
    metric,
    totals,
    outcomeGroups,
    // With one outcome a unit its mean is that outcome.
    unitGroups: hasOneEach(totals) ? outcomeGroups : await loadGroups(warehouse, scope, {metric, per: 'unit'}),
    pairs: await loadPairs(warehouse, scope, metric),
    ...(hasDistribution(metric) && isWeighted(totals) ? {weighted: await loadWeighted(warehouse, scope, {metric, outcomeGroups})} : {}),
    sql: warehouse.explainSql(scope, metric, isWeighted(totals)),
  };
}

/** Errors of weighted quantiles and ranks are over units, which values alone do not tell. */
async function loadWeighted(warehouse: AnalysisStore, scope: AnalysisScope, {metric, outcomeGroups}: Pick<MetricInputs, 'metric' | 'outcomeGroups'>): Promise<WeightedInputs> {
  const {control, variants} = scope.view.definition;
  const quantile = quantileOf(metric);
  const groups = outcomeGroups.status === 'ok' && quantile !== null ? outcomeGroups.groups : NO_VALUES;
  const at: Record<string, number> = {};
  for (const {key} of variants) {
    const found = weightedQuantilesOf(groups, key)?.quantile(quantile ?? 0);
    if (found !== undefined) at[key] = found;
  }
  const places: Record<string, readonly WeightedSums[]> = {};
  for (const variant of treatmentsOf(scope.view)) places[variant] = await warehouse.weightedSums(scope, metric, {control, variant});
  return {shares: Object.keys(at).length === 0 ? [] : await warehouse.weightedSums(scope, metric, {at}), places};
}

async function loadGroups(
  warehouse: AnalysisStore,
  scope: AnalysisScope,
  {metric, per}: {readonly metric: Metric; readonly per: 'outcome' | 'unit'},
): Promise<Distribution> {
  if (!hasDistribution(metric)) return NOT_A_DISTRIBUTION;
  const groups = await warehouse.valueGroups(scope, metric, {per, listedMax: DISTINCT_VALUES_MAX});
  if (groups.values.length <= DISTINCT_VALUES_MAX) return {status: 'ok', groups};
  return {status: 'not-computable', reason: `too many distinct values: more than ${DISTINCT_VALUES_MAX}`};
}

async function loadPairs(warehouse: AnalysisStore, scope: AnalysisScope, metric: Metric): Promise<Record<string, PairGroups>> {
  const {design, control} = scope.view.definition;
  if (design !== 'paired') return {};
  const pairs: Record<string, PairGroups> = {};
  for (const variant of treatmentsOf(scope.view)) {
    pairs[variant] = await warehouse.pairGroups(scope, metric, {control, variant, listedMax: DISTINCT_VALUES_MAX});
  }
  return pairs;
}

function hasOneEach(totals: readonly ArmTotals[]): boolean {
  return totals.every(arm => arm.outcomes === arm.unitsWithOutcome);
}
