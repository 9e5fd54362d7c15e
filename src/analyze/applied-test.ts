import type {TestEvidence, TestName} from '../core/verdict.ts';
import type {NotComputable} from '../stats/outcome.ts';

/** n, mean and spread of one arm as a test sees them. */
export type ArmNumbers = {readonly n: number; readonly mean: number | null; readonly sd: number | null};

/** A test applied to one treatment, with what the row and the confidence sequence need beside its evidence. */
export type AppliedTest = {
  readonly evidence: TestEvidence;
  readonly control: ArmNumbers;
  readonly variant: ArmNumbers;
  /** variant − control; known also where the test itself is not computable. */
  readonly effect: number | null;
  /** Independent observations, where they are fewer than n: units that have several pairs each. */
  readonly independent?: number;
  /** Of the effect, for the always-valid interval. */
  readonly error: StandardError;
};

export type StandardError =
  | {readonly status: 'ok'; readonly value: number; readonly method: string}
  | {readonly status: 'no_method' | 'not_computable'; readonly reason: string};

/** Evidence of a test that could not be computed: the reason, and no numbers. */
export function notComputable(test: TestName, why: Pick<NotComputable, 'reason' | 'message'> | string): TestEvidence {
  if (typeof why === 'string') return {test, status: 'not-computable', reason: why};
  return {test, status: 'not-computable', reason: `${why.reason}: ${why.message}`};
}

type WelchNumbers = {readonly statistic: number; readonly df: number; readonly pValue: number; readonly meanDifference: number; readonly ci: readonly [number, number]};

/** Evidence of Welch's t as it was computed, on values or on what was made of them. */
export function welchEvidence(test: WelchNumbers, n: {readonly control: number; readonly variant: number}, details: NonNullable<TestEvidence['details']>): TestEvidence {
  const {statistic, df, pValue, meanDifference, ci} = test;
  return {
    test: 'welch-t', status: 'ok', statistic, df, p_value: pValue, estimate: meanDifference, ci_low: ci[0], ci_high: ci[1],
    n_control: n.control, n_variant: n.variant, details,
  };
}

export function difference(variant: number | null, control: number | null): number | null {
  return variant === null || control === null ? null : variant - control;
}

export function rootOf(variance: number | null): number | null {
  return variance === null ? null : Math.sqrt(variance);
}
