import type {AnalysisSettings, MetricRole} from '../core/experiment.ts';
import {multipleComparisons} from '../stats/multiple-comparisons.ts';

export type FamilyMember = {readonly role: MetricRole; readonly pValue: number | null};

/**
 * Adjusted fixed-horizon p-values, in the order given. The family is the goals ×
 * treatments whose p exists; whatever is outside of it has no adjusted p, because
 * an unadjusted number under that name would mislead.
 */
export function adjustedPValues(members: readonly FamilyMember[], correction: AnalysisSettings['correction']): (number | null)[] {
  const raw = members.flatMap(({role, pValue}) => (role === 'goal' && pValue !== null ? [pValue] : []));
  const adjusted = correction === 'none' ? raw : adjust(raw, correction);
  let next = 0;
  return members.map(({role, pValue}) => (role === 'goal' && pValue !== null ? (adjusted[next++] ?? null) : null));
}

/**
 * The alpha of every always-valid interval: Bonferroni over the goals × treatments
 * of the definition. Holm and BH order p-values at one moment; an interval that
 * must hold at every moment cannot know its rank beforehand.
 */
export function correctedAlpha(
  {alpha, correction}: Pick<AnalysisSettings, 'alpha' | 'correction'>,
  {goals, treatments}: {readonly goals: number; readonly treatments: number},
): number {
  return correction === 'none' ? alpha : alpha / Math.max(1, goals * treatments);
}

function adjust(pValues: readonly number[], method: 'holm' | 'bh'): readonly number[] {
  const result = multipleComparisons({pValues}, {method});
  return result.status === 'ok' ? result.adjusted : [];
}
