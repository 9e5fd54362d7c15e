import {normal} from './normal.ts';
import type {Alternative} from './read-options.ts';
import {studentT} from './student-t.ts';

export type Interval = readonly [lower: number, upper: number];

export interface InferenceOptions {
  readonly alternative: Alternative;
  readonly confidenceLevel: number;
}

export interface Inference {
  readonly statistic: number;
  readonly pValue: number;
  /** One end is infinite for a one-sided alternative. */
  readonly ci: Interval;
}

export interface Estimate {
  readonly estimate: number;
  readonly standardError: number;
  /** Estimate under the null hypothesis; 0 by default. */
  readonly nullValue?: number;
}

/** Statistic, p-value and interval from an estimate and its standard error, on Student's t. */
export function inferT(from: Estimate & {readonly df: number}, options: InferenceOptions): Inference {
  const statistic = (from.estimate - (from.nullValue ?? 0)) / from.standardError;
  const critical = -studentT.quantile(tailShare(options), from.df);
  return {
    statistic,
    pValue: studentT.pValue(statistic, from.df, options.alternative),
    ci: interval(from.estimate, critical * from.standardError, options.alternative),
  };
}

/** The same on the normal distribution. */
export function inferZ(from: Estimate, options: InferenceOptions): Inference {
  const statistic = (from.estimate - (from.nullValue ?? 0)) / from.standardError;
  const critical = -normal.quantile(tailShare(options));
  return {
    statistic,
    pValue: normalPValue(statistic, options.alternative),
    ci: interval(from.estimate, critical * from.standardError, options.alternative),
  };
}

export function normalPValue(z: number, alternative: Alternative): number {
  if (alternative === 'greater') return normal.sf(z);
  return alternative === 'less' ? normal.cdf(z) : Math.min(1, 2 * normal.sf(Math.abs(z)));
}

/** p-value from two exact tails: the smaller one doubled, or the one asked for. */
export function exactPValue(
  tails: {readonly lower: number; readonly upper: number},
  alternative: Alternative,
): number {
  if (alternative === 'greater') return tails.upper;
  return alternative === 'less' ? tails.lower : Math.min(1, 2 * Math.min(tails.lower, tails.upper));
}

/** Share left out at each end that is finite. */
export function tailShare({alternative, confidenceLevel}: InferenceOptions): number {
  return alternative === 'two-sided' ? (1 - confidenceLevel) / 2 : 1 - confidenceLevel;
}

/** `greater` claims a lower bound, `less` an upper one. */
export function interval(estimate: number, halfWidth: number, alternative: Alternative): Interval {
  return [
    alternative === 'less' ? Number.NEGATIVE_INFINITY : estimate - halfWidth,
    alternative === 'greater' ? Number.POSITIVE_INFINITY : estimate + halfWidth,
  ];
}
