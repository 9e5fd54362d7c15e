import {mergeMoments, type Moments, momentsOf, NO_MOMENTS} from './moments.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {type Numbers, readNumbers, readRecord, requireFinite} from './read-input.ts';
import {describe, readOptions} from './read-options.ts';

export interface MomentsMergeResult {
  readonly n: number;
  /** Null when there is no observation. */
  readonly mean: number | null;
  /** With n − 1; null for n < 2. */
  readonly variance: number | null;
  readonly min: number | null;
  readonly max: number | null;
}

/**
 * Mean, variance and range of chunks that were summarised apart and then merged,
 * as slices are. Errors: `non_finite`, `invalid_argument`. Source: Chan, Golub, LeVeque (1983).
 */
export function momentsMerge(
  input: {readonly chunks: readonly Numbers[]},
  options?: object,
): Outcome<MomentsMergeResult> {
  return attempt(() => {
    readOptions(options, {});
    const {chunks} = readRecord(input, 'input') as {chunks?: unknown};
    if (!Array.isArray(chunks))
      refuse('invalid_argument', `chunks is ${describe(chunks)}: it must be an array of arrays of numbers`);
    const merged = chunks
      .map((chunk: unknown, i: number) => chunkMoments(chunk, `chunks[${i}]`))
      .reduce(mergeMoments, NO_MOMENTS);
    const {n, mean, meanLow, m2, min, max} = merged;
    if (n === 0) return {n, mean: null, variance: null, min: null, max: null};
    return {n, mean: mean + meanLow, variance: n < 2 ? null : m2 / (n - 1), min, max};
  });
}

function chunkMoments(chunk: unknown, field: string): Moments {
  const values = readNumbers(chunk, field);
  requireFinite(values, field);
  return momentsOf(values);
}
