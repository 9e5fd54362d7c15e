import {bucketValue, histogramQuantile} from '../core/histogram.ts';
import {SQUARE_ONE, WEIGHT_ONE} from '../core/sampling.ts';

/** The outcomes of a window by bucket: how many were sent, how many they stand for, and the sum of the squares of that. */
export type Bucket = {readonly bucket: number; readonly n: number; readonly weight: number; readonly squares: number};

export type SampledHistogram = {
  readonly counts: readonly (readonly [bucket: number, count: number])[];
  /** Beyond the counts, in millionths and their squares; empty where nothing was sampled. */
  readonly extra: readonly {readonly bucket: number; readonly weight: number; readonly squares: number}[];
  readonly min: number;
  readonly max: number;
};

export type MeanOf = {readonly n: number; readonly mean: number; readonly sd: number | null};
type Errors = {readonly mean: number; readonly p50: number; readonly p95: number; readonly p99: number};

/** Quantiles of what the outcomes stand for, and standard errors; where nothing was sampled those of the outcomes themselves. */
export class WindowStatistics {
  readonly #histogram: SampledHistogram;
  /** null where nothing was sampled. */
  readonly #buckets: readonly Bucket[] | null;
  readonly #weight: number;

  constructor(histogram: SampledHistogram) {
    this.#histogram = histogram;
    this.#buckets = histogram.extra.length === 0 ? null : bucketsOf(histogram);
    this.#weight = total(this.#buckets ?? [], ({weight}) => weight);
  }

  quantile(p: number): number {
    const {counts, min, max} = this.#histogram;
    if (this.#buckets === null) return histogramQuantile(counts, p, {min, max});
    let reached = 0;
    for (const {bucket, weight} of this.#buckets) {
      reached += weight;
      if (reached > p * this.#weight) return this.#valueOf(bucket);
    }
    return max;
  }

  errors({n, mean, sd}: MeanOf): Errors {
    return {mean: sd === null ? Number.NaN : (sd / Math.sqrt(n)) * Math.sqrt(this.#designEffect(mean, n)), p50: this.#quantileError(0.5), p95: this.#quantileError(0.95), p99: this.#quantileError(0.99)};
  }

  /**
   * The standard error of a quantile, from the quantiles one standard error of the rank away on either side.
   * NaN when that reaches beyond the sample.
   */
  #quantileError(p: number): number {
    const step = Math.sqrt(this.#rankVariance(p));
    if (!(p + step < 1)) return Number.NaN;
    return (this.quantile(p + step) - this.quantile(Math.max(0, p - step))) / 2;
  }

  /** Of the share at or below the quantile: binomial, or with weights its linearised form, Σw²(1(x ≤ q) − p)² / (Σw)². */
  #rankVariance(p: number): number {
    if (this.#buckets === null) return (p * (1 - p)) / total(this.#histogram.counts, ([, count]) => count);
    const at = this.quantile(p);
    const squares = total(this.#buckets, ({bucket, squares: of}) => of * (this.#valueOf(bucket) <= at ? (1 - p) ** 2 : p ** 2));
    return squares / this.#weight ** 2;
  }

  /**
   * How many times the variance of the weighted mean, Σw²(x − m)² / (Σw)², is that of as many outcomes of one weight. Values
   * are those of buckets in both, so that what buckets lose cancels; without spread between buckets it is Kish's Σw²·n / (Σw)².
   */
  #designEffect(mean: number, n: number): number {
    if (this.#buckets === null) return 1;
    const plainMean = total(this.#buckets, ({bucket, n: count}) => count * this.#valueOf(bucket)) / n;
    const plain = total(this.#buckets, ({bucket, n: count}) => count * (this.#valueOf(bucket) - plainMean) ** 2) / n ** 2;
    const kish = total(this.#buckets, ({squares}) => squares) / this.#weight ** 2;
    if (!(plain > 0)) return kish * n;
    const weighted = total(this.#buckets, ({bucket, squares}) => squares * (this.#valueOf(bucket) - mean) ** 2) / this.#weight ** 2;
    return weighted / plain;
  }

  #valueOf(bucket: number): number {
    return Math.min(this.#histogram.max, Math.max(this.#histogram.min, bucketValue(bucket)));
  }
}

function bucketsOf({counts, extra}: SampledHistogram): Bucket[] {
  const beyond = new Map(extra.map(sums => [sums.bucket, sums]));
  return [...counts].sort(([a], [b]) => a - b).map(([bucket, n]) => {
    const {weight, squares} = beyond.get(bucket) ?? {weight: 0, squares: 0};
    return {bucket, n, weight: n + weight / WEIGHT_ONE, squares: n + squares / SQUARE_ONE};
  });
}

function total<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}
