import {HISTOGRAM_EDGES} from './histogram-edges.ts';

/**
 * The log-histogram of a slice (DESIGN C3): buckets between edges 1.02^k, on a
 * zero, a positive and a negative side, so a quantile is within 1 % and
 * histograms merge by adding counts.
 *
 *     bucket id   …  -2  │  -1  │    0     │   1   │   2   …
 *     |x|            [e1,e2) [e0,e1)  < e0    [e0,e1) [e1,e2)     e0 = 1.02^-1047 ≈ 1e-9
 */
export type Histogram = ReadonlyMap<number, number>;

const FIRST = HISTOGRAM_EDGES[0] as number;
const LAST = HISTOGRAM_EDGES.length - 1;
const INVERSE_LN = 1 / Math.log(1.02);
const K_MIN = -1047;

/** The bucket of a finite value. The logarithm only guesses; the table decides. */
export function bucketOf(value: number): number {
  const size = Math.abs(value);
  if (size < FIRST) return 0;
  let index = Math.floor(Math.log(size) * INVERSE_LN) - K_MIN;
  if (index < 0) index = 0;
  if (index > LAST) index = LAST;
  if (size < (HISTOGRAM_EDGES[index] as number)) index -= 1;
  else if (index < LAST && size >= (HISTOGRAM_EDGES[index + 1] as number)) index += 1;
  return value < 0 ? -(index + 1) : index + 1;
}

/** The value a bucket stands for: the geometric mean of its edges, at most 0.995 % from any value inside. */
export function bucketValue(bucket: number): number {
  if (bucket === 0) return 0;
  const index = Math.abs(bucket) - 1;
  const low = HISTOGRAM_EDGES[index] as number;
  const high = HISTOGRAM_EDGES[Math.min(index + 1, LAST)] as number;
  const value = Math.sqrt(low) * Math.sqrt(high);
  return bucket < 0 ? -value : value;
}

/**
 * The element at floor(p·n) of the sorted values, within 1 %; clamped to [min, max].
 * @returns NaN for an empty histogram.
 */
export function histogramQuantile(
  histogram: Iterable<readonly [bucket: number, count: number]>,
  p: number,
  bounds: {readonly min: number; readonly max: number},
): number {
  const buckets = [...histogram].sort(([a], [b]) => a - b);
  const n = buckets.reduce((sum, [, count]) => sum + count, 0);
  if (n === 0) return Number.NaN;
  const rank = Math.min(n - 1, Math.floor(p * n));
  let seen = 0;
  for (const [bucket, count] of buckets) {
    seen += count;
    if (seen > rank) return Math.min(bounds.max, Math.max(bounds.min, bucketValue(bucket)));
  }
  return bounds.max;
}
