import type {CountColumns} from '../stats/groups.ts';
import {sum} from '../stats/sum.ts';
import {winsorisedMeanDifference} from '../stats/winsorised-mean-difference.ts';
import {type AppliedTest, type ArmNumbers, notComputable, welchEvidence} from './applied-test.ts';
import type {Distribution} from './inputs.ts';
import {twoArms} from './quantiles.ts';

export type WinsorisedOptions = {
  readonly quantiles: readonly [lower: number, upper: number];
  readonly alpha: number;
  /** The test of the same metric as it is, for what clamping did to the variance. */
  readonly plain: AppliedTest;
};

/**
 * Welch on the units' means after both arms were clamped to common quantiles. A unit counts once, however many
 * outcomes it has. With its quantiles taken anew at each look the interval may be looked at like any other:
 * they settle far faster than the means do.
 */
export function winsorisedTest(
  unitGroups: Distribution,
  {control, variant}: {readonly control: string; readonly variant: string},
  {quantiles: [lower, upper], alpha, plain}: WinsorisedOptions,
): AppliedTest {
  const known = {method: 'winsorised', per: 'unit', lower, upper};
  const none: ArmNumbers = {n: 0, mean: null, sd: null};
  if (unitGroups.status !== 'ok') {
    const evidence = {...notComputable('welch-t', unitGroups.reason), details: known};
    return {control: {...none, n: plain.control.n}, variant: {...none, n: plain.variant.n}, effect: null, evidence, error: {status: 'not_computable', reason: unitGroups.reason}};
  }
  const columns = twoArms(unitGroups.groups, {a: variant, b: control});
  const {values, countsA, countsB} = columns;
  const test = winsorisedMeanDifference({columns}, {lower, upper, confidenceLevel: 1 - alpha});
  if (test.status !== 'ok') {
    const counted = (counts: Float64Array): ArmNumbers => ({...none, n: counts.reduce((n, count) => n + count, 0)});
    const arms = {control: counted(countsB), variant: counted(countsA)};
    return {...arms, effect: null, evidence: {...notComputable('welch-t', test), details: known}, error: {status: 'not_computable', reason: test.reason}};
  }
  const {lowerBound, upperBound, standardError} = test;
  const clamped = values.map(value => Math.min(upperBound, Math.max(lowerBound, value)));
  const outside = (counts: Float64Array): number => counts.reduce((n, count, at) => (clamped[at] === values[at] ? n : n + count), 0);
  const plainError = plain.error.status === 'ok' ? plain.error.value : null;
  const evidence = welchEvidence(test, {control: test.nB, variant: test.nA}, {
    ...known,
    lower_bound: lowerBound,
    upper_bound: upperBound,
    clamped_control: outside(countsB),
    clamped_variant: outside(countsA),
    standard_error: standardError,
    // Against the metric's mean as it is; null where that has no standard error.
    variance_reduction: plainError === null ? null : 1 - (standardError / plainError) ** 2,
    cohens_d: test.effectSize.cohensD,
    hedges_g: test.effectSize.hedgesG,
  });
  return {
    control: {n: test.nB, mean: test.meanB, sd: sdOf({values: clamped, counts: countsB}, {mean: test.meanB, n: test.nB})},
    variant: {n: test.nA, mean: test.meanA, sd: sdOf({values: clamped, counts: countsA}, {mean: test.meanA, n: test.nA})},
    evidence,
    effect: test.meanDifference,
    error: {status: 'ok', value: standardError, method: 'winsorised'},
  };
}

function sdOf({values, counts}: CountColumns, {mean, n}: {readonly mean: number; readonly n: number}): number {
  return Math.sqrt(sum(values.map((value, at) => (counts[at] as number) * (value - mean) ** 2)) / (n - 1));
}
