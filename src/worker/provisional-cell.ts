import {BucketCounts} from '../core/bucket-counts.ts';
import {bucketOf} from '../core/histogram.ts';
import type {Contribution} from './metric-contribution.ts';

/**
 * Running moments of one provisional key. Centred (Welford), because Σx² − (Σx)²/n
 * loses everything when the mean is large against the spread.
 */
export class ProvisionalCell {
  n = 0;
  sum = 0;
  m2 = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  denominatorSum = 0;
  readonly histogram = new BucketCounts();
  isChanged = true;

  add({value, denominator}: Contribution): void {
    const deviation = this.n === 0 ? 0 : value - this.sum / this.n;
    this.n++;
    this.sum += value;
    this.m2 += deviation * (value - this.sum / this.n);
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    this.denominatorSum += denominator;
    this.histogram.add(bucketOf(value), 1);
    this.isChanged = true;
  }

  /** Adds what another cell counted (Chan's formula). */
  merge(other: ProvisionalCell): void {
    if (other.n === 0) return;
    if (this.n > 0) {
      const apart = other.sum / other.n - this.sum / this.n;
      this.m2 += (apart * apart * this.n * other.n) / (this.n + other.n);
    }
    this.m2 += other.m2;
    this.n += other.n;
    this.sum += other.sum;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
    this.denominatorSum += other.denominatorSum;
    this.histogram.addAll(other.histogram);
    this.isChanged = true;
  }
}
