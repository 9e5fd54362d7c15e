import {bucketOf} from '../core/histogram.ts';
import {SQUARE_ONE, WEIGHT_ONE} from '../core/sampling.ts';
import type {ExtraBucket} from '../core/slices.ts';
import {BucketTables} from './bucket-tables.ts';

const CELLS_MIN = 64;
/** Of one cell, behind each other. */
export const FIGURES = {n: 0, sum: 1, m2: 2, min: 3, max: 4, denominatorSum: 5} as const;
export const FIGURES_PER_CELL = 6;
/** Of a cell with sampled outcomes: what they stand for beyond themselves, in millionths. */
export type Extra = {weight: number; sum: number; denominatorSum: number; readonly buckets: Map<number, {weight: number; squares: number}>};
const {n: N, sum: SUM, m2: M2, min: MIN, max: MAX, denominatorSum: DENOMINATOR_SUM} = FIGURES;

/**
 * Running moments of many provisional keys, by numbers that are given out and taken
 * back. Centred (Welford), because Σx² − (Σx)²/n loses everything when the mean is
 * large against the spread.
 *
 * In columns, because a worker has up to a hundred thousand: as objects they outlive
 * the young generation, and moving them there costs more than counting.
 */
export class Cells {
  #figures = new Float64Array(CELLS_MIN * FIGURES_PER_CELL);
  #changed = new Uint8Array(CELLS_MIN);
  readonly #histograms = new BucketTables();
  /** Sampling is rare, so that hardly any cell has one. */
  readonly #extras = new Map<number, Extra>();
  readonly #left: number[] = [];
  #used = 0;

  open(): number {
    const cell = this.#left.pop() ?? this.#used++;
    const at = cell * FIGURES_PER_CELL;
    if (at === this.#figures.length) this.#grow();
    const figures = this.#figures;
    figures.fill(0, at, at + FIGURES_PER_CELL);
    figures[at + MIN] = Number.POSITIVE_INFINITY;
    figures[at + MAX] = Number.NEGATIVE_INFINITY;
    this.#changed[cell] = 1;
    this.#histograms.open(cell);
    return cell;
  }

  close(cell: number): void {
    this.#histograms.close(cell);
    this.#extras.delete(cell);
    this.#left.push(cell);
  }

  add(cell: number, value: number, denominator: number): void {
    const figures = this.#figures;
    const at = cell * FIGURES_PER_CELL;
    const n = figures[at + N] as number;
    const sum = figures[at + SUM] as number;
    const deviation = n === 0 ? 0 : value - sum / n;
    figures[at + N] = n + 1;
    figures[at + SUM] = sum + value;
    figures[at + M2] = (figures[at + M2] as number) + deviation * (value - (sum + value) / (n + 1));
    if (value < (figures[at + MIN] as number)) figures[at + MIN] = value;
    if (value > (figures[at + MAX] as number)) figures[at + MAX] = value;
    figures[at + DENOMINATOR_SUM] = (figures[at + DENOMINATOR_SUM] as number) + denominator;
    this.#histograms.add(cell, bucketOf(value), 1);
    this.#changed[cell] = 1;
  }

  /** After `add` of a sampled outcome: `extraWeight` of the same value once more. */
  addExtra(cell: number, extraWeight: number, {value, denominator}: {readonly value: number; readonly denominator: number}): void {
    const weight = WEIGHT_ONE + extraWeight;
    const extra = this.#extraAt(cell);
    extra.weight += extraWeight;
    extra.sum += extraWeight * value;
    extra.denominatorSum += extraWeight * denominator;
    addBucket(extra, bucketOf(value), {weight: extraWeight, squares: weight * weight - SQUARE_ONE});
  }

  /** undefined where nothing was sampled. */
  extraOf(cell: number): Readonly<Extra> | undefined {
    return this.#extras.get(cell);
  }

  /** Adds what a cell of another collection counted (Chan's formula). */
  merge(cell: number, others: Cells, other: number): void {
    const [mine, theirs] = [this.#figures, others.#figures];
    const [at, from] = [cell * FIGURES_PER_CELL, other * FIGURES_PER_CELL];
    const [n, m] = [mine[at + N] as number, theirs[from + N] as number];
    if (m === 0) return;
    if (n > 0) {
      const apart = (theirs[from + SUM] as number) / m - (mine[at + SUM] as number) / n;
      mine[at + M2] = (mine[at + M2] as number) + (apart * apart * n * m) / (n + m);
    }
    for (const sum of [N, SUM, M2, DENOMINATOR_SUM]) mine[at + sum] = (mine[at + sum] as number) + (theirs[from + sum] as number);
    mine[at + MIN] = Math.min(mine[at + MIN] as number, theirs[from + MIN] as number);
    mine[at + MAX] = Math.max(mine[at + MAX] as number, theirs[from + MAX] as number);
    const pairs = new Int32Array(others.bucketsOf(other) * 2);
    others.copyHistogram(pairs, 0, other);
    for (let pair = 0; pair < pairs.length; pair += 2) this.#histograms.add(cell, pairs[pair] as number, pairs[pair + 1] as number);
    const extra = others.extraOf(other);
    if (extra !== undefined) {
      const own = this.#extraAt(cell);
      own.weight += extra.weight;
      own.sum += extra.sum;
      own.denominatorSum += extra.denominatorSum;
      for (const [bucket, sums] of extra.buckets) addBucket(own, bucket, sums);
    }
    this.#changed[cell] = 1;
  }

  isChanged(cell: number): boolean {
    return this.#changed[cell] === 1;
  }

  /** What it holds now is stored. */
  settle(cell: number): void {
    this.#changed[cell] = 0;
  }

  bucketsOf(cell: number): number {
    return this.#histograms.size(cell);
  }

  copyFigures(target: Float64Array, at: number, cell: number): void {
    const from = cell * FIGURES_PER_CELL;
    for (let figure = 0; figure < FIGURES_PER_CELL; figure++) target[at + figure] = this.#figures[from + figure] as number;
  }

  /** @returns where the pairs of bucket and count end in `target` */
  copyHistogram(target: Int32Array, at: number, cell: number): number {
    return this.#histograms.copyTo(target, at, cell);
  }

  #extraAt(cell: number): Extra {
    const known = this.#extras.get(cell);
    if (known !== undefined) return known;
    const extra: Extra = {weight: 0, sum: 0, denominatorSum: 0, buckets: new Map()};
    this.#extras.set(cell, extra);
    return extra;
  }

  #grow(): void {
    const figures = new Float64Array(this.#figures.length * 2);
    figures.set(this.#figures);
    this.#figures = figures;
    const changed = new Uint8Array(this.#changed.length * 2);
    changed.set(this.#changed);
    this.#changed = changed;
  }
}

function addBucket({buckets}: Extra, bucket: number, {weight, squares}: ExtraBucket<number>): void {
  const known = buckets.get(bucket);
  if (known === undefined) buckets.set(bucket, {weight, squares});
  else {
    known.weight += weight;
    known.squares += squares;
  }
}
