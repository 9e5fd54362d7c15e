import {type AnalysisSettings, type Design, hasDistribution} from '../core/experiment.ts';
import type {TestEvidence} from '../core/verdict.ts';
import type {PairGroups} from '../warehouse/warehouse.ts';
import type {AppliedTest} from './applied-test.ts';
import {isPairable, isWeighted, type MetricInputs, quantileOf, totalsOf} from './inputs.ts';
import {coverageOf, pairedTest, signedRankTest} from './paired-tests.ts';
import {rankTest} from './rank-test.ts';
import type {ReasonCode} from './reasons.ts';
import {unpairedTest} from './unpaired-tests.ts';
import {weightedRankTest} from './weighted-tests.ts';
import {winsorisedTest} from './winsorised-test.ts';

export type ComparisonInputs = {
  readonly inputs: MetricInputs;
  readonly design: Design;
  readonly control: string;
  readonly variant: string;
  readonly settings: Pick<AnalysisSettings, 'alpha' | 'pairCoverageMin'>;
};

/** One metric of one treatment against control: the primary test, and all that applied (the primary first). */
export type Comparison = {
  readonly primary: AppliedTest;
  readonly tests: readonly TestEvidence[];
  readonly pairs: PairGroups | null;
  readonly pairCoverage: number | null;
  readonly reasons: readonly ReasonCode[];
};

/**
 * Paired t where both variants answered enough of the same items, otherwise the
 * test of independent arms that the aggregate calls for (DESIGN §6).
 */
export function compareArms(of: ComparisonInputs): Comparison {
  const {inputs, control, variant, settings} = of;
  const {alpha} = settings;
  const arms = {control, variant};
  const totals = {control: totalsOf(inputs, control), variant: totalsOf(inputs, variant)};
  const {weighted} = inputs;
  const unpaired = unpairedTest({metric: inputs.metric, totals, outcomeGroups: inputs.outcomeGroups, shares: weighted?.shares ?? [], alpha});
  const isMixed = isWeighted(Object.values(totals));
  const ranks = hasDistribution(inputs.metric) ? [ranksOf(inputs, arms)] : [];
  const pairs = of.design === 'paired' ? (inputs.pairs[variant] ?? null) : null;
  const {winsorise} = inputs.metric;
  // Clamped means of units know no weights: where rates are mixed, the weighted test stands.
  const clamped = winsorise === undefined || isMixed ? null : winsorisedTest(inputs.unitGroups, arms, {quantiles: winsorise, alpha, plain: unpaired});
  const winsorised = clamped === null ? null : {primary: clamped, tests: [clamped.evidence, unpaired.evidence, ...ranks]};
  const unpairedOnly = {primary: unpaired, tests: [unpaired.evidence, ...ranks]};
  if (of.design === 'split') return finish({...(winsorised ?? unpairedOnly), pairs: null, pairCoverage: null, reasons: []});

  const pairCoverage = pairs === null ? null : coverageOf(pairs);
  const isCovered = pairCoverage !== null && pairCoverage >= settings.pairCoverageMin;
  const reasons: ReasonCode[] = [
    ...(isPairable(inputs.metric) ? [] : (['aggregate_not_paired'] as const)),
    ...(isCovered ? [] : (['pair_coverage_low'] as const)),
  ];
  if (pairs === null) return finish({...unpairedOnly, pairs, pairCoverage, reasons});
  const paired = pairedTest(pairs, {alpha, isShare: inputs.metric.aggregate === 'share'});
  const pairedTests = [paired.evidence, signedRankTest(pairs, alpha)];
  if (reasons.length === 0) {
    return finish({primary: paired, tests: [...pairedTests, unpaired.evidence, ...ranks], pairs, pairCoverage, reasons});
  }
  // About the mean of pairs only, and of the items that happen to have both.
  const isTelling = isPairable(inputs.metric) || quantileOf(inputs.metric) !== null;
  const exploratory = isTelling ? pairedTests.map(test => ({...test, exploratory: true})) : [];
  return finish({...unpairedOnly, tests: [...unpairedOnly.tests, ...exploratory], pairs, pairCoverage, reasons});
}

/** Means of units that were left out for a time are means of what is left of them: with weights, outcomes are ranked instead. */
function ranksOf({weighted, unitGroups, outcomeGroups}: MetricInputs, arms: {readonly control: string; readonly variant: string}): TestEvidence {
  return weighted === undefined ? rankTest(unitGroups, arms) : weightedRankTest(arms, {places: weighted.places[arms.variant] ?? [], outcomeGroups});
}

function finish(comparison: Comparison): Comparison {
  if (comparison.primary.evidence.status === 'ok') return comparison;
  return {...comparison, reasons: [...comparison.reasons, 'primary_not_computable']};
}
