import type {TestEvidence} from '../core/verdict.ts';
import {quantileDifference} from '../stats/quantile-difference.ts';
import type {ArmTotals, WeightedSums} from '../warehouse/warehouse.ts';
import {type AppliedTest, notComputable} from './applied-test.ts';
import {type Distribution, isWeighted} from './inputs.ts';
import {quantilesOf, twoArms} from './quantiles.ts';
import {weightedQuantileTest} from './weighted-tests.ts';

export type QuantileInputs = {
  readonly totals: {readonly control: ArmTotals; readonly variant: ArmTotals};
  readonly outcomeGroups: Distribution;
  /** Where events have several weights. */
  readonly shares?: readonly WeightedSums[];
  readonly alpha: number;
};

const NO_METHOD = {status: 'no_method', reason: 'quantiles have no always-valid interval'} as const;

/** Difference of a quantile between independent arms, on outcomes; the means of the row are the arms' quantiles. */
export function quantileTest(quantile: number, {totals, outcomeGroups, shares = [], alpha}: QuantileInputs): AppliedTest {
  const {control, variant} = totals;
  if (outcomeGroups.status !== 'ok') {
    const empty = (n: number) => ({n, mean: null, sd: null});
    return {
      control: empty(control.outcomes),
      variant: empty(variant.outcomes),
      effect: null,
      error: NO_METHOD,
      evidence: notComputable('quantile-difference', outcomeGroups.reason),
    };
  }
  const {groups} = outcomeGroups;
  const at = (arm: ArmTotals) => ({n: arm.outcomes, mean: quantilesOf(groups, arm.variant, [quantile])[0] ?? null, sd: null});
  const arms = {control: at(control), variant: at(variant)};
  const effect = arms.control.mean === null || arms.variant.mean === null ? null : arms.variant.mean - arms.control.mean;
  if (isWeighted([control, variant])) {
    const evidence = weightedQuantileTest({control: control.variant, variant: variant.variant}, {groups, shares, quantile, alpha});
    return {...arms, effect, error: NO_METHOD, evidence};
  }
  const test = quantileDifference(
    {columns: twoArms(groups, {a: variant.variant, b: control.variant})},
    {quantile, confidenceLevel: 1 - alpha},
  );
  const details = {
    quantile,
    // Several outcomes of a unit are taken as independent, which makes the interval too narrow.
    clustered: control.outcomes > control.unitsWithOutcome || variant.outcomes > variant.unitsWithOutcome,
  };
  if (test.status !== 'ok') return {...arms, effect, error: NO_METHOD, evidence: {...notComputable('quantile-difference', test), details}};
  const evidence: TestEvidence = {
    test: 'quantile-difference',
    status: 'ok',
    statistic: test.statistic,
    p_value: test.pValue,
    estimate: test.difference,
    ci_low: test.ci[0],
    ci_high: test.ci[1],
    n_control: control.outcomes,
    n_variant: variant.outcomes,
    details: {...details, standard_error: test.standardError},
  };
  return {...arms, evidence, effect: test.difference, error: NO_METHOD};
}
