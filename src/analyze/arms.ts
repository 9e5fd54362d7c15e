import type {Design} from '../core/experiment.ts';
import {WEIGHT_ONE} from '../core/sampling.ts';
import type {ArmEvidence} from '../core/verdict.ts';
import {boxPlot} from '../stats/box-plot.ts';
import type {ArmTotals} from '../warehouse/warehouse.ts';
import {rootOf} from './applied-test.ts';
import {divide} from './exact-moments.ts';
import type {MetricInputs} from './inputs.ts';
import {groupsOf, quantilesOf} from './quantiles.ts';
import {armMoments} from './unpaired-tests.ts';

/** One arm as the metric sees it: exact mean and spread, type-7 quantiles, whiskers at 1.5 IQR. */
export function armEvidence(inputs: MetricInputs, arm: ArmTotals, {units, design}: {readonly units: number; readonly design: Design}): ArmEvidence {
  const {mean, variance} = armMoments(inputs.metric, arm);
  const known = {variant: arm.variant, units, outcomes: arm.outcomes, ...estimates(arm, design), mean, sd: rootOf(variance)};
  const {outcomeGroups} = inputs;
  if (outcomeGroups.status !== 'ok' || arm.outcomes === 0) return {...known, ...NO_QUANTILES};
  const groups = groupsOf(outcomeGroups.groups, arm.variant);
  const box = boxPlot({groups}, {whiskerK: 1.5});
  if (box.status !== 'ok') return {...known, ...NO_QUANTILES};
  const [p95, p99] = quantilesOf(outcomeGroups.groups, arm.variant, [0.95, 0.99]);
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

/** What sampled units and outcomes stand for; items of a pair are not sampled. */
function estimates({sampling}: ArmTotals, design: Design): Pick<ArmEvidence, 'estimated_units' | 'estimated_outcomes'> {
  if (sampling === undefined) return {};
  const ofUnits = design === 'split' ? {estimated_units: divide(sampling.unitsWeight, ONE)} : {};
  return {...ofUnits, estimated_outcomes: divide(sampling.outcomesWeight, ONE)};
}

const ONE = BigInt(WEIGHT_ONE);

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
