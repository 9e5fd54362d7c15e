import {firstPlace} from '../core/ascending.ts';
import type {EpochMs} from '../core/units.ts';
import type {WindowRow} from '../warehouse/warehouse.ts';

/** Windows of one size, found by their end without looking at all of them. */
export class WindowSeries {
  readonly #rows: readonly WindowRow[];

  constructor(rows: readonly WindowRow[]) {
    this.#rows = [...rows].sort((a, b) => a.window_end - b.window_end);
  }

  /** Those that end in (after, until]. */
  between(after: number, until: EpochMs): readonly WindowRow[] {
    return this.#rows.slice(this.#firstAfter(after), this.#firstAfter(until));
  }

  #firstAfter(time: number): number {
    return firstPlace(0, this.#rows.length, at => (this.#rows[at]?.window_end ?? 0) > time);
  }
}
