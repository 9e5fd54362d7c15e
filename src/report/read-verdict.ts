import type {Verdict} from '../core/verdict.ts';
import {unitOf} from './format.ts';
import type {CheckStatus, PairView, Reading, Unit} from './report.ts';
import type {Texts} from './texts.ts';

/*
 * Questions to one stored row. Nothing is computed: intervals are compared with
 * zero and with the tolerance, which are all in the row.
 */

/** The metric's settings inside `analysis`, where the row keeps them: at the top, or under `metric`. */
function setting(verdict: Verdict, key: string): unknown {
  const {analysis} = verdict;
  const metric = analysis['metric'];
  if (metric !== null && typeof metric === 'object' && key in metric) return (metric as Record<string, unknown>)[key];
  return analysis[key];
}

/** How far the metric may move to the harmful side, in its own unit; null when the row does not say. */
export function toleranceOf(verdict: Verdict): number | null {
  const value = setting(verdict, 'tolerance');
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

/** The unit a row names, otherwise the one that its measure's or metric's name ends in. */
export function metricUnit(verdict: Verdict): Unit {
  const named = setting(verdict, 'unit');
  const measure = setting(verdict, 'measure');
  const byMeasure = unitOf(typeof measure === 'string' ? measure : '', verdict.aggregate);
  const guessed = byMeasure.symbol === '' && verdict.aggregate !== 'ratio' ? unitOf(verdict.metric, verdict.aggregate) : byMeasure;
  return typeof named === 'string' && named !== '' && !guessed.isShare ? {symbol: named, isShare: false} : guessed;
}

/** The always-valid interval turned so that more is better, or null. */
function goodness(verdict: Verdict): {readonly low: number; readonly high: number} | null {
  const {cs_low: low, cs_high: high} = verdict;
  if (low === null || high === null) return null;
  return verdict.direction === 'higher' ? {low, high} : {low: -high, high: -low};
}

export function readingOf(verdict: Verdict): Reading {
  if (verdict.effect_absolute === null) return 'not-computable';
  const interval = goodness(verdict);
  if (interval === null) return 'no-reading';
  if (interval.high < -(toleranceOf(verdict) ?? 0)) return 'worse';
  return interval.low > 0 ? 'better' : 'unclear';
}

/** Whether a goal was reached, or a guardrail held; null for a diagnostic. */
export function metricCheck(verdict: Verdict): CheckStatus | null {
  if (verdict.role === 'diagnostic') return null;
  const reading = readingOf(verdict);
  if (reading === 'not-computable' || reading === 'no-reading') return 'not-computable';
  if (reading === 'worse') return 'fail';
  if (verdict.role === 'goal') return reading === 'better' ? 'pass' : 'open';
  const interval = goodness(verdict);
  return interval !== null && interval.low >= -(toleranceOf(verdict) ?? 0) ? 'pass' : 'open';
}

/** Why there is no primary number: what the tests of the row say. '' when there is one. */
export function missingReason(verdict: Verdict, texts: Texts): string {
  if (verdict.effect_absolute !== null) return '';
  const reasons = verdict.tests.flatMap(test =>
    test.status === 'not-computable' && test.reason !== undefined ? [missingText(test.reason, texts)] : [],
  );
  if (reasons.length > 0) return [...new Set(reasons)].join('; ');
  return verdict.n_control === 0 || verdict.n_variant === 0 ? texts.why.no_data : texts.noReason;
}

/** A test's reason in words; an unknown code is shown as it is. */
export const missingText = (code: string, texts: Texts): string =>
  (Object.hasOwn(texts.missing, code) ? texts.missing[code] : undefined) ?? code.replaceAll('_', ' ');

/**
 * Win, tie and loss as the row's paired tests counted them; null when it has none. The row
 * counts differences above and below zero, so on a metric where less is better they swap.
 */
export function pairsOf(verdict: Verdict): PairView | null {
  for (const {details} of verdict.tests) {
    const [wins, ties, losses, dropped] = ['wins', 'ties', 'losses', 'dropped'].map(key => details?.[key]);
    if (typeof wins !== 'number' || typeof ties !== 'number' || typeof losses !== 'number') continue;
    const [better, worse] = verdict.direction === 'higher' ? [wins, losses] : [losses, wins];
    return {better, equal: ties, worse, dropped: typeof dropped === 'number' ? dropped : 0};
  }
  return null;
}

/** `code` or `code:detail` in words; an unknown code is shown as it is. */
export function reasonText(reason: string, texts: Texts): string {
  const split = reason.indexOf(':');
  const code = split < 0 ? reason : reason.slice(0, split);
  const detail = split < 0 ? '' : reason.slice(split + 1).trim();
  const known = Object.hasOwn(texts.reason, code) ? texts.reason[code] : undefined;
  if (known !== undefined) return known(detail);
  return reason.replaceAll('_', ' ');
}

/** A failing audit: slices differ from their facts, or none was compared. */
export const isAuditFailure = (audit: Verdict['audit']): boolean =>
  audit.mismatch === null || audit.mismatch > 0 || audit.slices_checked === 0;
