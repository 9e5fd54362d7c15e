import {inferZ, type InferenceOptions, type Interval} from './inference.ts';
import {readScores, summariseNps} from './nps.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {type Numbers, readRecord} from './read-input.ts';
import {readOptions} from './read-options.ts';
import {INFERENCE_OPTIONS} from './welch-t.ts';

export interface NpsDifferenceResult {
  readonly nA: number;
  readonly nB: number;
  readonly npsA: number;
  readonly npsB: number;
  readonly difference: number;
  readonly standardError: number;
  readonly statistic: number;
  readonly pValue: number;
  readonly ci: Interval;
}

/**
 * Unpooled z-test for the net promoter scores of two independent arms.
 * Errors: `non_finite`, `insufficient_data` (an empty arm), `zero_variance`, `invalid_argument`.
 */
export function npsDifference(
  input: {readonly a: Numbers; readonly b: Numbers},
  options?: Partial<InferenceOptions>,
): Outcome<NpsDifferenceResult> {
  return attempt(() => {
    const chosen = readOptions<InferenceOptions>(options, INFERENCE_OPTIONS);
    const given = readRecord(input, 'input');
    const scoresA = readScores(given['a'], 'a', {least: 0, most: 10});
    const scoresB = readScores(given['b'], 'b', {least: 0, most: 10});
    const a = summariseNps(scoresA, 'a');
    const b = summariseNps(scoresB, 'b');
    const standardError = Math.hypot(a.standardError, b.standardError);
    if (standardError === 0)
      refuse(
        'zero_variance',
        'the answers of a and b are all of one kind: there is no spread to test against; collect more',
      );
    const difference = a.nps - b.nps;
    return {
      nA: a.n,
      nB: b.n,
      npsA: a.nps,
      npsB: b.nps,
      difference,
      standardError,
      ...inferZ({estimate: difference, standardError}, chosen),
    };
  });
}
