import type {FactRows} from '../core/facts.ts';
import type {ProvisionalSlice} from '../core/slices.ts';
import type {EpochMs} from '../core/units.ts';
import {BucketSpan} from './bucket-tables.ts';
import {type Cells, FIGURES, FIGURES_PER_CELL} from './cells.ts';

export type CellKey = {readonly metric: string; readonly dimension: string; readonly dimensionValue: string};
export type ArmKey = {readonly experiment: string; readonly phase: number; readonly variant: string};
export type SlicePosition = {readonly logEpoch: number; readonly partition: number; readonly lastOffset: bigint};

/** Of one changed cell, what tells it from the others. */
export type ChangedCell = {readonly cell: number; readonly arm: ArmKey; readonly key: CellKey; readonly sliceStart: EpochMs};

/**
 * Provisional slices as they were when this was made: a copy of the cells' columns,
 * out of which a row is made when it is its turn.
 */
export class ProvisionalRows implements FactRows<ProvisionalSlice> {
  readonly #at: SlicePosition;
  readonly #changed: readonly ChangedCell[];
  readonly #figures: Float64Array;
  readonly #pairs: Int32Array;
  readonly #ends: Uint32Array;

  constructor(at: SlicePosition, cells: Cells, changed: readonly ChangedCell[]) {
    this.#at = at;
    this.#changed = changed;
    this.#figures = new Float64Array(changed.length * FIGURES_PER_CELL);
    this.#ends = new Uint32Array(changed.length);
    let buckets = 0;
    for (const {cell} of changed) buckets += cells.bucketsOf(cell);
    this.#pairs = new Int32Array(buckets * 2);
    let end = 0;
    for (let row = 0; row < changed.length; row++) {
      const {cell} = changed[row] as ChangedCell;
      cells.copyFigures(this.#figures, row * FIGURES_PER_CELL, cell);
      end = cells.copyHistogram(this.#pairs, end, cell);
      this.#ends[row] = end;
    }
  }

  get length(): number {
    return this.#changed.length;
  }

  *[Symbol.iterator](): Iterator<ProvisionalSlice> {
    const {logEpoch, partition, lastOffset} = this.#at;
    const figures = this.#figures;
    for (let row = 0; row < this.#changed.length; row++) {
      const {arm, key, sliceStart} = this.#changed[row] as ChangedCell;
      const {experiment, phase, variant} = arm;
      const {metric, dimension, dimensionValue} = key;
      const figureOf = (figure: number): number => figures[row * FIGURES_PER_CELL + figure] as number;
      const histogram = new BucketSpan(this.#pairs, row === 0 ? 0 : (this.#ends[row - 1] as number), this.#ends[row] as number);
      yield {
        logEpoch, partition, lastOffset, experiment, phase, variant, metric, dimension, dimensionValue, sliceStart,
        n: figureOf(FIGURES.n), sum: figureOf(FIGURES.sum), m2: figureOf(FIGURES.m2), min: figureOf(FIGURES.min), max: figureOf(FIGURES.max),
        denominatorSum: figureOf(FIGURES.denominatorSum), histogram,
      };
    }
  }
}
