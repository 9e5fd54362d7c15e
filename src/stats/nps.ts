import {type Interval, interval} from './inference.ts';
import {normal} from './normal.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {type Numbers, readNumbers, readRecord, requireAtLeast, requireFinite} from './read-input.ts';
import {confidenceLevel, readOptions} from './read-options.ts';

export interface NpsSummary {
  readonly n: number;
  /** −100 to 100. */
  readonly nps: number;
  readonly promoters: number;
  readonly passives: number;
  readonly detractors: number;
  readonly standardError: number;
}

export interface NpsResult extends NpsSummary {
  /** Clamped to ±100. */
  readonly ci: Interval;
}

/**
 * Net promoter score of answers 0..10: share of promoters (9, 10) minus share of detractors (0..6), times 100.
 * Errors: `non_finite`, `insufficient_data` (none), `invalid_argument` (not a whole number from 0 to 10).
 * Source: Reichheld (2003); standard error of the trinomial.
 */
export function nps(
  input: {readonly scores: Numbers},
  options?: Partial<{readonly confidenceLevel: number}>,
): Outcome<NpsResult> {
  return attempt(() => {
    const chosen = readOptions<{confidenceLevel: number}>(options, {confidenceLevel});
    const summary = summariseNps(
      readScores(readRecord(input, 'input')['scores'], 'scores', {least: 0, most: 10}),
      'scores',
    );
    const half = -normal.quantile((1 - chosen.confidenceLevel) / 2) * summary.standardError;
    const [low, high] = interval(summary.nps, half, 'two-sided');
    return {...summary, ci: [Math.max(-100, low), Math.min(100, high)] as const};
  });
}

/** Score and standard error, from answers already checked. */
export function summariseNps(scores: Float64Array, field: string): NpsSummary {
  const n = scores.length;
  requireAtLeast(n, 1, field);
  const promoters = scores.filter(score => score >= 9).length;
  const detractors = scores.filter(score => score <= 6).length;
  const share = (promoters - detractors) / n;
  const variance = Math.max(0, (promoters + detractors) / n - share * share);
  return {
    n,
    nps: 100 * share,
    promoters,
    passives: n - promoters - detractors,
    detractors,
    standardError: 100 * Math.sqrt(variance / n),
  };
}

/** Whole-number answers on a scale. */
export function readScores(
  given: unknown,
  field: string,
  {least, most}: {least: number; most: number},
): Float64Array {
  const scores = readNumbers(given, field);
  requireFinite(scores, field);
  scores.forEach((score, i) => {
    if (!Number.isInteger(score) || score < least || score > most) {
      refuse(
        'invalid_argument',
        `${field}[${i}] is ${score}: it must be a whole number from ${least} to ${most}`,
      );
    }
  });
  return scores;
}
