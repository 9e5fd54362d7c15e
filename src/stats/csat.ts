import type {Interval} from './inference.ts';
import {normal} from './normal.ts';
import {readScores} from './nps.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {type Numbers, readRecord, requireAtLeast} from './read-input.ts';
import {confidenceLevel, num, readOptions} from './read-options.ts';
import {sum} from './sum.ts';
import {wilsonInterval} from './wilson-interval.ts';

export interface CsatOptions {
  /** Answers from here on count as satisfied. */
  readonly satisfiedFrom: number;
  /** Answers are 1..scaleMax. */
  readonly scaleMax: number;
  readonly confidenceLevel: number;
}

export interface CsatResult {
  readonly n: number;
  readonly satisfied: number;
  /** Share of satisfied answers, 0 to 1. */
  readonly csat: number;
  readonly mean: number;
  /** Wilson's interval of the share. */
  readonly ci: Interval;
}

/**
 * Customer satisfaction: share of answers at or above a mark.
 * Errors: `non_finite`, `insufficient_data` (none), `invalid_argument` (answer off the scale).
 */
export function csat(input: {readonly scores: Numbers}, options?: Partial<CsatOptions>): Outcome<CsatResult> {
  return attempt(() => {
    const whole = (fallback: number, least: number) =>
      num(fallback, `a whole number, ${least} or more`, value => Number.isInteger(value) && value >= least);
    const chosen = readOptions<CsatOptions>(options, {
      satisfiedFrom: whole(4, 1),
      scaleMax: whole(5, 2),
      confidenceLevel,
    });
    if (chosen.satisfiedFrom > chosen.scaleMax) {
      refuse(
        'invalid_argument',
        `satisfiedFrom is ${chosen.satisfiedFrom}: it must not be above scaleMax, which is ${chosen.scaleMax}`,
      );
    }
    const scores = readScores(readRecord(input, 'input')['scores'], 'scores', {
      least: 1,
      most: chosen.scaleMax,
    });
    const n = scores.length;
    requireAtLeast(n, 1, 'scores');
    const satisfied = scores.filter(score => score >= chosen.satisfiedFrom).length;
    const z = -normal.quantile((1 - chosen.confidenceLevel) / 2);
    return {n, satisfied, csat: satisfied / n, mean: sum(scores) / n, ci: wilsonInterval(satisfied, n, z)};
  });
}
