import {inferT, type InferenceOptions, type Interval} from './inference.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {readCount, readNonNegative, readReal, readRecord, requireAtLeast} from './read-input.ts';
import {alternative, confidenceLevel, readOptions} from './read-options.ts';
import {isNoise} from './scale.ts';

/** Pairs of several clusters; Σ over clusters of (Σd − n·mean)², the squared deviations of their sums. */
export interface ClusteredPairedTInput {
  readonly n: number;
  readonly clusters: number;
  readonly meanDifference: number;
  readonly sumOfSquaredSums: number;
}

export interface ClusteredPairedTResult {
  readonly n: number;
  readonly clusters: number;
  readonly statistic: number;
  readonly df: number;
  readonly pValue: number;
  readonly meanDifference: number;
  readonly standardError: number;
  readonly ci: Interval;
}

/**
 * The mean difference of pairs with a standard error that lets pairs of one cluster depend on one another,
 *
 *     SE² = G/(G − 1) · Σ_g (Σd_g − n_g·d̄)² / n²,   df = G − 1.
 *
 * With one pair a cluster it is Student's paired t.
 * Errors: `insufficient_data` (fewer than 2 clusters), `zero_variance`, `invalid_argument`.
 * Source: Liang and Zeger 1986; R `sandwich::vcovCL(lm(d ~ 1), type = "HC0")`, which has the same factor G/(G − 1).
 */
export function clusteredPairedT(input: ClusteredPairedTInput, options?: Partial<InferenceOptions>): Outcome<ClusteredPairedTResult> {
  return attempt(() => {
    const chosen = readOptions<InferenceOptions>(options, {alternative, confidenceLevel});
    const given = readRecord(input, 'input');
    const n = readCount(given['n'], 'n');
    const clusters = readCount(given['clusters'], 'clusters');
    const mean = readReal(given['meanDifference'], 'meanDifference');
    const squares = readNonNegative(given['sumOfSquaredSums'], 'sumOfSquaredSums');
    if (clusters > n) refuse('invalid_argument', `clusters is ${clusters}, more than the ${n} pairs: count clusters that have a pair`);
    requireAtLeast(clusters, 2, 'the clusters of the pairs');
    const df = clusters - 1;
    const standardError = Math.sqrt((clusters / df) * squares) / n;
    if (isNoise(standardError, mean)) {
      refuse('zero_variance', 'the clusters do not differ: there is no spread to test against; report the difference itself');
    }
    return {n, clusters, df, meanDifference: mean, standardError, ...inferT({estimate: mean, standardError, df}, chosen)};
  });
}
