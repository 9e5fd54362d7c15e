import type {FactRows} from '../core/facts.ts';
import type {ProvisionalSlice} from '../core/slices.ts';
import type {EpochMs} from '../core/units.ts';
import {BucketSpan} from './bucket-tables.ts';
import {type Cells, type Extra, FIGURES, FIGURES_PER_CELL} from './cells.ts';

export type CellKey = {readonly metric: string; readonly dimension: string; readonly dimensionValue: string};
export type ArmKey = {readonly experiment: string; readonly phase: number; readonly variant: string};
export type SlicePosition = {readonly logEpoch: number; readonly partition: number; readonly lastOffset: bigint};

/** Cells that changed, and of each what tells it from the others: lists beside each other, as there may be many. */
export class ChangedCells {
  readonly cells: number[] = [];
  readonly arms: ArmKey[] = [];
  readonly keys: CellKey[] = [];
  readonly starts: EpochMs[] = [];

  push(cell: number, {arm, key, start}: {readonly arm: ArmKey; readonly key: CellKey; readonly start: EpochMs}): void {
    this.cells.push(cell);
    this.arms.push(arm);
    this.keys.push(key);
    this.starts.push(start);
  }
}

/**
 * Provisional slices as they were when this was made: a copy of the cells' columns,
 * out of which a row is made when it is its turn.
 */
export class ProvisionalRows implements FactRows<ProvisionalSlice> {
  readonly #at: SlicePosition;
  readonly #changed: ChangedCells;
  readonly #figures: Float64Array;
  readonly #pairs: Int32Array;
  readonly #ends: Uint32Array;
  /** By row, where outcomes were sampled. */
  readonly #extras = new Map<number, Extra>();

  constructor(at: SlicePosition, cells: Cells, changed: ChangedCells) {
    this.#at = at;
    this.#changed = changed;
    const {length} = changed.cells;
    this.#figures = new Float64Array(length * FIGURES_PER_CELL);
    this.#ends = new Uint32Array(length);
    let buckets = 0;
    for (const cell of changed.cells) buckets += cells.bucketsOf(cell);
    this.#pairs = new Int32Array(buckets * 2);
    let end = 0;
    for (let row = 0; row < length; row++) {
      const cell = changed.cells[row] as number;
      cells.copyFigures(this.#figures, row * FIGURES_PER_CELL, cell);
      const extra = cells.extraOf(cell);
      if (extra !== undefined) this.#extras.set(row, {...extra, buckets: new Map([...extra.buckets].map(([bucket, sums]) => [bucket, {...sums}]))});
      end = cells.copyHistogram(this.#pairs, end, cell);
      this.#ends[row] = end;
    }
  }

  get length(): number {
    return this.#changed.cells.length;
  }

  *[Symbol.iterator](): Iterator<ProvisionalSlice> {
    const {logEpoch, partition, lastOffset} = this.#at;
    const figures = this.#figures;
    for (let row = 0; row < this.length; row++) {
      const {experiment, phase, variant} = this.#changed.arms[row] as ArmKey;
      const {metric, dimension, dimensionValue} = this.#changed.keys[row] as CellKey;
      const sliceStart = this.#changed.starts[row] as EpochMs;
      const figureOf = (figure: number): number => figures[row * FIGURES_PER_CELL + figure] as number;
      const histogram = new BucketSpan(this.#pairs, row === 0 ? 0 : (this.#ends[row - 1] as number), this.#ends[row] as number);
      const extra = this.#extras.get(row);
      yield {
        logEpoch, partition, lastOffset, experiment, phase, variant, metric, dimension, dimensionValue, sliceStart,
        n: figureOf(FIGURES.n), sum: figureOf(FIGURES.sum), m2: figureOf(FIGURES.m2), min: figureOf(FIGURES.min), max: figureOf(FIGURES.max),
        denominatorSum: figureOf(FIGURES.denominatorSum), histogram,
        extraWeight: extra?.weight ?? 0, extraSum: extra?.sum ?? 0, extraDenominatorSum: extra?.denominatorSum ?? 0,
        ...(extra === undefined ? {} : {extraBuckets: extra.buckets}),
      };
    }
  }
}
