import type {Design} from '../core/experiment.ts';
import {WEIGHT_ONE} from '../core/sampling.ts';
import type {ArmEvidence} from '../core/verdict.ts';
import {boxPlot} from '../stats/box-plot.ts';
import {sum} from '../stats/sum.ts';
import type {WeightedValue} from '../stats/weighted-quantile-difference.ts';
import type {ValueGroups} from '../warehouse/value-groups.ts';
import type {ArmTotals} from '../warehouse/warehouse.ts';
import {rootOf} from './applied-test.ts';
import {divide} from './exact-moments.ts';
import type {MetricInputs} from './inputs.ts';
import {armColumns, columnQuantiles, isWeighing, quantilesOf, weighedGroupsOf} from './quantiles.ts';
import {armMoments} from './unpaired-tests.ts';

/** One arm as the metric sees it: exact mean and spread, type-7 quantiles, whiskers at 1.5 IQR. */
export function armEvidence(inputs: MetricInputs, arm: ArmTotals, {units, design}: {readonly units: number; readonly design: Design}): ArmEvidence {
  const {mean, variance} = armMoments(inputs.metric, arm);
  const known = {variant: arm.variant, units, outcomes: arm.outcomes, ...estimates(arm, design), mean, sd: rootOf(variance)};
  const {outcomeGroups} = inputs;
  if (outcomeGroups.status !== 'ok' || arm.outcomes === 0) return {...known, ...NO_QUANTILES};
  if (isWeighing(outcomeGroups.groups)) return {...known, ...weightedBox(outcomeGroups.groups, arm)};
  const columns = armColumns(outcomeGroups.groups, arm.variant);
  const box = boxPlot({columns}, {whiskerK: WHISKER_K});
  if (box.status !== 'ok') return {...known, ...NO_QUANTILES};
  const [p95, p99] = columnQuantiles(columns, [0.95, 0.99]);
  return {
    ...known,
    min: box.min,
    p25: box.q1,
    p50: box.median,
    p75: box.q3,
    p95: p95 ?? null,
    p99: p99 ?? null,
    max: box.max,
    whisker_low: box.lowerWhisker,
    whisker_high: box.upperWhisker,
  };
}

/** Quantiles of what the outcomes stand for; the ends and the whiskers are those of outcomes that were sent. */
function weightedBox(groups: ValueGroups, {variant, outcomes}: ArmTotals): Pick<ArmEvidence, keyof typeof NO_QUANTILES | 'sd'> {
  const {values} = armColumns(groups, variant);
  const [p25, p50, p75, p95, p99] = quantilesOf(groups, variant, [0.25, 0.5, 0.75, 0.95, 0.99]);
  if (p25 === undefined || p50 === undefined || p75 === undefined || p95 === undefined || p99 === undefined) return {...NO_QUANTILES, sd: null};
  const reach = WHISKER_K * (p75 - p25);
  return {
    sd: weightedSd(weighedGroupsOf(groups, variant), outcomes), min: values[0] ?? null, p25, p50, p75, p95, p99, max: values.at(-1) ?? null,
    whisker_low: values.find(value => value >= p25 - reach) ?? null,
    whisker_high: values.findLast(value => value <= p75 + reach) ?? null,
  };
}

/** With n − 1 of the outcomes that were sent, so that equal weights give the plain one. */
function weightedSd(groups: readonly WeightedValue[], n: number): number | null {
  if (n < 2) return null;
  const weights = groups.map(({weight}) => divide(weight, ONE));
  const total = sum(weights);
  const mean = sum(groups.map(({value}, at) => value * (weights[at] ?? 0))) / total;
  return Math.sqrt((sum(groups.map(({value}, at) => (weights[at] ?? 0) * (value - mean) ** 2)) / total) * (n / (n - 1)));
}

/** What sampled units and outcomes stand for; items of a pair are not sampled. */
function estimates({sampling}: ArmTotals, design: Design): Pick<ArmEvidence, 'estimated_units' | 'estimated_outcomes'> {
  if (sampling === undefined) return {};
  const ofUnits = design === 'split' ? {estimated_units: divide(sampling.unitsWeight, ONE)} : {};
  return {...ofUnits, estimated_outcomes: divide(sampling.outcomesWeight, ONE)};
}

const ONE = BigInt(WEIGHT_ONE);
const WHISKER_K = 1.5;

const NO_QUANTILES = {
  min: null,
  p25: null,
  p50: null,
  p75: null,
  p95: null,
  p99: null,
  max: null,
  whisker_low: null,
  whisker_high: null,
} as const;
