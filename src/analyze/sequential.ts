import {asymptoticConfidenceSequence} from '../stats/asymptotic-confidence-sequence.ts';
import type {AppliedTest} from './applied-test.ts';
import type {AlwaysValidInterval} from './decide.ts';

export type SequentialSettings = {
  /** After correction for the family. */
  readonly alpha: number;
  readonly minN: number;
  readonly tuningN: number;
};

export type Sequential = {
  readonly interval: AlwaysValidInterval;
  readonly pValue: number | null;
  /** What min_n is compared with: pairs (units, when they have several each), or the smaller arm. */
  readonly nSmaller: number;
  /** What the sequence counts: pairs, or units of both arms. */
  readonly n: number;
  readonly standardError: number | null;
  readonly method: string | null;
};

/**
 * The confidence sequence on the effect of the primary test: it may be looked at
 * whenever one likes. Asymptotic, so it starts at min_n only (from n = 2 on it is
 * wrong far more often than alpha).
 */
export function sequentialOf(test: AppliedTest, settings: SequentialSettings): Sequential {
  const isPaired = test.evidence.test === 'paired-t';
  const nSmaller = test.independent ?? Math.min(test.control.n, test.variant.n);
  const n = isPaired ? nSmaller : test.control.n + test.variant.n;
  const {error, effect} = test;
  const without = {pValue: null, nSmaller, n, standardError: null, method: null};
  if (error.status !== 'ok' || effect === null) {
    const why = error.status === 'ok' ? 'the effect is unknown' : error.reason;
    const status = error.status === 'no_method' ? 'no_method' : nSmaller < settings.minN ? 'below_min_n' : 'not_computable';
    return {...without, interval: {status, reason: why}};
  }
  const known = {...without, standardError: error.value, method: error.method};
  if (nSmaller < settings.minN) return {...known, interval: {status: 'below_min_n', reason: `n = ${nSmaller}`}};
  const sequence = asymptoticConfidenceSequence(
    {n, estimate: effect, standardError: error.value},
    {alpha: settings.alpha, tuningParameter: settings.tuningN},
  );
  if (sequence.status !== 'ok') return {...known, interval: {status: 'not_computable', reason: sequence.reason}};
  return {...known, pValue: sequence.pValue, interval: {status: 'ok', low: sequence.ci[0], high: sequence.ci[1]}};
}
