import {hasDistribution, type Metric} from '../core/experiment.ts';
import {WEIGHT_DIGITS} from '../core/sampling.ts';
import {welchT} from '../stats/welch-t.ts';
import type {ArmTotals, WeightedSums} from '../warehouse/warehouse.ts';
import {type AppliedTest, type ArmNumbers, difference, notComputable, rootOf, welchEvidence} from './applied-test.ts';
import {type Moments, momentsOf, ratioMomentsOf} from './exact-moments.ts';
import {type Distribution, isWeighted, quantileOf} from './inputs.ts';
import {errorOfShares, proportionTest, type Successes} from './proportion-test.ts';
import {quantileTest} from './quantile-test.ts';

export type Arms<T> = {readonly control: T; readonly variant: T};

export type UnpairedInputs = {
  readonly metric: Metric;
  readonly totals: Arms<ArmTotals>;
  /** Outcomes' values, for quantiles. */
  readonly outcomeGroups: Distribution;
  /** Of quantiles, where events have several weights. */
  readonly shares?: readonly WeightedSums[];
  readonly alpha: number;
};

/** The test of independent arms that a metric's aggregate calls for (DESIGN §6, §7). */
export function unpairedTest(inputs: UnpairedInputs): AppliedTest {
  const {metric, totals} = inputs;
  const quantile = quantileOf(metric);
  if (quantile !== null) return quantileTest(quantile, inputs);
  if (isWeighted(Object.values(totals))) return weightedTest(inputs);
  switch (metric.aggregate) {
    case 'conversion':
      return proportionTest(both(totals, arm => ({successes: arm.unitsWithOutcome, n: arm.units})), inputs.alpha);
    case 'share':
      if (hasOneOutcomePerUnit(totals)) {
        return proportionTest(both(totals, arm => ({successes: successesOf(arm, metric.scale), n: arm.outcomes})), inputs.alpha);
      }
      return withFlatShares(welchOf(both(totals, arm => ratioMoments(arm, metric)), {alpha: inputs.alpha, method: 'delta'}));
    case 'ratio':
      return welchOf(both(totals, arm => ratioMoments(arm, metric)), {alpha: inputs.alpha, method: 'delta'});
    case 'total':
      return welchOf(both(totals, arm => totalMoments(arm, metric)), {alpha: inputs.alpha, method: 'unit-totals'});
    default:
      if (hasOneOutcomePerUnit(totals)) {
        return welchOf(both(totals, arm => outcomeMoments(arm, metric)), {alpha: inputs.alpha, method: 'welch'});
      }
      return welchOf(both(totals, arm => ratioMoments(arm, metric)), {alpha: inputs.alpha, method: 'delta'});
  }
}

/**
 * Where outcomes have several weights: ratios of weighted sums over units (Horvitz and Thompson's totals, Hájek's means)
 * by the delta method. A unit is weighed as one, so its own outcomes may depend on one another here as elsewhere.
 */
function weightedTest({metric, totals, alpha}: UnpairedInputs): AppliedTest {
  const test = welchOf(both(totals, arm => weightedMoments(arm, metric)), {alpha, method: 'weighted-delta'});
  return metric.aggregate === 'share' || metric.aggregate === 'conversion' ? withFlatShares(test) : test;
}

/** Then outcomes are independent and need no clustering by unit. */
export function hasOneOutcomePerUnit({control, variant}: Arms<ArmTotals>): boolean {
  return control.outcomes === control.unitsWithOutcome && variant.outcomes === variant.unitsWithOutcome;
}

/** What one arm is in the metric, whatever test is applied: mean and spread. For a quantile those of its values. */
export function armMoments(metric: Metric, arm: ArmTotals): Moments {
  if (isWeighted([arm])) return {...weightedMoments(arm, metric), ...plainSpread(arm, metric)};
  switch (metric.aggregate) {
    case 'conversion': {
      const share = arm.units < Math.max(1, arm.unitsWithOutcome) ? null : arm.unitsWithOutcome / arm.units;
      return {n: arm.units, mean: share, variance: share === null ? null : share * (1 - share)};
    }
    case 'total':
      return totalMoments(arm, metric);
    case 'ratio':
      return ratioMoments(arm, metric);
    default:
      return outcomeMoments(arm, metric);
  }
}

function outcomeMoments(arm: ArmTotals, {scale}: Metric): Moments {
  return momentsOf({n: arm.outcomes, sum: arm.sumQ, sumSquares: arm.sumSquaresQ, scale});
}

function weightedMoments(arm: ArmTotals, metric: Metric): Moments {
  const {sampling} = arm;
  if (metric.aggregate !== 'total' && metric.aggregate !== 'conversion') return ratioMoments(arm, metric);
  // Without data in the arm there is nothing to weigh.
  if (sampling === undefined || sampling.mixed === null) return {n: arm.units, mean: null, variance: null};
  const {mixed, unitsWeight: denominator} = sampling;
  const exposed = {n: arm.units, denominator, denominatorSquares: mixed.unitsWeightSquares, denominatorScale: WEIGHT_DIGITS};
  if (metric.aggregate === 'conversion') {
    return ratioMomentsOf({...exposed, numerator: mixed.answered, numeratorSquares: mixed.answeredSquares, cross: mixed.answeredCross, numeratorScale: WEIGHT_DIGITS});
  }
  return ratioMomentsOf({...exposed, numerator: arm.sumQ, numeratorSquares: arm.unitSumSquaresQ, cross: mixed.exposedCrossQ, numeratorScale: metric.scale + WEIGHT_DIGITS});
}

/** The spread of the values that were sent; a mean of units has none of its own to show. */
function plainSpread(arm: ArmTotals, metric: Metric): Partial<Moments> {
  const sum = arm.sampling?.mixed?.plainSumQ;
  if (!hasDistribution(metric) || sum === undefined) return {};
  return {variance: momentsOf({n: arm.outcomes, sum, sumSquares: arm.sumSquaresQ, scale: metric.scale}).variance};
}

/** Every exposed unit counts, with 0 when it has no outcome. */
function totalMoments(arm: ArmTotals, {scale}: Metric): Moments {
  return momentsOf({n: arm.units, sum: arm.sumQ, sumSquares: arm.unitSumSquaresQ, scale});
}

function ratioMoments(arm: ArmTotals, metric: Metric): Moments {
  const weightDigits = isWeighted([arm]) ? WEIGHT_DIGITS : 0;
  return ratioMomentsOf({
    n: arm.unitsWithOutcome,
    numerator: arm.sumQ,
    denominator: arm.denominatorQ,
    numeratorSquares: arm.unitSumSquaresQ,
    denominatorSquares: arm.unitDenominatorSquaresQ,
    cross: arm.unitCrossQ,
    numeratorScale: metric.scale + weightDigits,
    // Elsewhere the denominator is the number of outcomes, a plain count.
    denominatorScale: (metric.aggregate === 'ratio' ? metric.scale : 0) + weightDigits,
  });
}

function successesOf(arm: ArmTotals, scale: number): number {
  return Number(arm.sumQ / 10n ** BigInt(scale));
}

type WelchOptions = {readonly alpha: number; readonly method: 'welch' | 'delta' | 'unit-totals' | 'weighted-delta'};

function welchOf({control, variant}: Arms<Moments>, {alpha, method}: WelchOptions): AppliedTest {
  const arms = {control: numbersOf(control), variant: numbersOf(variant)};
  const effect = difference(variant.mean, control.mean);
  const test = welchT({a: summaryOf(variant), b: summaryOf(control)}, {confidenceLevel: 1 - alpha});
  if (test.status !== 'ok') {
    const evidence = {...notComputable('welch-t', test), details: {method}};
    return {...arms, evidence, effect, error: {status: 'not_computable', reason: test.reason}};
  }
  const evidence = welchEvidence(test, {control: control.n, variant: variant.n}, {
    method,
    standard_error: test.standardError,
    cohens_d: test.effectSize.cohensD,
    hedges_g: test.effectSize.hedgesG,
  });
  return {...arms, evidence, effect: test.meanDifference, error: {status: 'ok', value: test.standardError, method}};
}

/** Shares over units with several outcomes: an arm that is all 0 or all 1 has no spread of its own here either. */
function withFlatShares(test: AppliedTest): AppliedTest {
  const shares = [test.control, test.variant];
  if (!shares.some(arm => arm.mean === 0 || arm.mean === 1)) return test;
  const [control, variant] = shares.map(arm => ({successes: (arm.mean ?? 0) * arm.n, n: arm.n})) as [Successes, Successes];
  return {...test, error: errorOfShares(control, variant)};
}

/** An arm without a variance has fewer than two units, which is what the test then says. */
function summaryOf({n, mean, variance}: Moments): {n: number; mean: number; variance: number} {
  return {n: mean === null ? 0 : n, mean: mean ?? 0, variance: variance ?? 0};
}

function numbersOf({n, mean, variance}: Moments): ArmNumbers {
  return {n, mean, sd: rootOf(variance)};
}

function both<T, U>(arms: Arms<T>, map: (arm: T) => U): Arms<U> {
  return {control: map(arms.control), variant: map(arms.variant)};
}
