import type {TestEvidence} from '../core/verdict.ts';
import {twoProportion} from '../stats/two-proportion.ts';
import {type AppliedTest, type ArmNumbers, difference, notComputable, type StandardError} from './applied-test.ts';

export type Successes = {readonly successes: number; readonly n: number};

/** Two shares of independent observations: pooled z, Newcombe's interval. */
export function proportionTest(
  {control, variant}: {readonly control: Successes; readonly variant: Successes},
  alpha: number,
): AppliedTest {
  const arms = {control: numbersOf(control), variant: numbersOf(variant)};
  const effect = difference(arms.variant.mean, arms.control.mean);
  const error = errorOfShares(control, variant);
  const test = twoProportion({a: variant, b: control}, {confidenceLevel: 1 - alpha});
  const counts = {successes_control: control.successes, successes_variant: variant.successes};
  if (test.status !== 'ok') return {...arms, effect, error, evidence: {...notComputable('two-proportion', test), details: counts}};
  const evidence: TestEvidence = {
    test: 'two-proportion',
    status: 'ok',
    statistic: test.statistic,
    p_value: test.pValue,
    estimate: test.difference,
    ci_low: test.ci[0],
    ci_high: test.ci[1],
    n_control: control.n,
    n_variant: variant.n,
    details: {method: 'pooled', ci_method: 'newcombe', ...counts, cohens_h: test.effectSize.cohensH},
  };
  return {...arms, evidence, effect: test.difference, error};
}

/**
 * Unpooled, for the always-valid interval. An arm that is all 0 or all 1 has no
 * spread of its own, which would make the interval a point; then one success and
 * one failure are added to each arm (Agresti and Caffo 2000).
 */
export function errorOfShares(control: Successes, variant: Successes): StandardError {
  if (control.n === 0 || variant.n === 0) return {status: 'not_computable', reason: 'insufficient_data'};
  if (isImpossible(control) || isImpossible(variant)) return {status: 'not_computable', reason: 'invalid_argument'};
  if (isFlat(control) || isFlat(variant)) {
    return {status: 'ok', value: Math.sqrt(squareOf(padded(control)) + squareOf(padded(variant))), method: 'agresti-caffo'};
  }
  return {status: 'ok', value: Math.sqrt(squareOf(control) + squareOf(variant)), method: 'wald'};
}

/** More units with an outcome than exposed ones: outcomes by hint whose exposures are missing. */
function isImpossible({successes, n}: Successes): boolean {
  return successes > n;
}

function isFlat({successes, n}: Successes): boolean {
  return successes === 0 || successes === n;
}

function padded({successes, n}: Successes): Successes {
  return {successes: successes + 1, n: n + 2};
}

function squareOf({successes, n}: Successes): number {
  const share = successes / n;
  return (share * (1 - share)) / n;
}

function numbersOf({successes, n}: Successes): ArmNumbers {
  if (n === 0 || successes > n) return {n, mean: null, sd: null};
  const share = successes / n;
  return {n, mean: share, sd: Math.sqrt(share * (1 - share))};
}
