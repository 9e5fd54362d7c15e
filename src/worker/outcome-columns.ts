import {OUTCOME_STATUSES, type OutcomeStatus} from '../core/events.ts';
import type {EpochMs} from '../core/units.ts';
import {NO_PLACE, type SlicedOutcome} from './sliced-outcome.ts';

const VALUES_PER_ROW = 4;
const UNIT_UNKNOWN = 0;

/** Of an outcome that is taken: what slices will ask for, and where in its record the unit lies (0 to 0: not known). */
export type TakenOutcome = {
  readonly outcome: Pick<SlicedOutcome, 'variantHint' | 'hintPlace' | 'measureNames' | 'measureValues' | 'status' | 'sampleRate'>;
  readonly unitFrom: number;
  readonly unitTo: number;
};

/** Answers what the columns don't hold, from the record's bytes. */
export type RecordReader = {
  eventTs(row: number): number;
  /** The text at these places of the row's bytes. */
  text(row: number, from: number, to: number): string;
  whole(row: number): Pick<SlicedOutcome, 'unitId' | 'attributes'>;
};

/**
 * What slices need of the outcomes that wait for a flush, noted when each was taken,
 * so that hardly any is read a second time. A place a row; those of other rows stay empty.
 *
 *     hints, names  mostly shared                          the names by the number of their list
 *     values        the measures behind each other         12.5 7 0 │ 9.1 3 1 │ …
 *     starts        where an outcome's values begin        └──────── └────────
 *
 * Numbers outside the heap: as arrays that grow they were most of what the collector had to do.
 */
export class OutcomeColumns {
  #hints: SlicedOutcome['variantHint'][];
  #hintPlaces: Int32Array<ArrayBuffer>;
  #statuses: Uint8Array<ArrayBuffer>;
  #starts: Uint32Array<ArrayBuffer>;
  #unitFroms: Uint32Array<ArrayBuffer>;
  #unitTos: Uint32Array<ArrayBuffer>;
  #names: Uint32Array<ArrayBuffer>;
  readonly #lists: (readonly string[])[] = [];
  readonly #listNumbers = new Map<readonly string[], number>();
  /** By row, of sampled outcomes alone. */
  readonly #sampleRates = new Map<number, number>();
  #values: Float64Array<ArrayBuffer>;
  #valuesLength = 0;

  constructor(rows: number) {
    this.#hints = Array.from({length: rows}, () => NO_HINT);
    this.#hintPlaces = new Int32Array(rows);
    this.#statuses = new Uint8Array(rows);
    this.#starts = new Uint32Array(rows);
    this.#unitFroms = new Uint32Array(rows);
    this.#unitTos = new Uint32Array(rows);
    this.#names = new Uint32Array(rows);
    this.#values = new Float64Array(rows * VALUES_PER_ROW);
  }

  /** As it was when it was made, with the room it has now. */
  reset(): void {
    this.#valuesLength = 0;
    this.#sampleRates.clear();
    this.#lists.length = 0;
    this.#listNumbers.clear();
  }

  set(row: number, {outcome, unitFrom, unitTo}: TakenOutcome): void {
    if (row >= this.#starts.length) this.#growRows(row);
    const {variantHint, hintPlace, measureNames, measureValues, status, sampleRate} = outcome;
    const start = this.#valuesLength;
    const end = start + measureNames.length;
    if (end > this.#values.length) this.#growValues(end);
    for (let index = 0; index < measureNames.length; index++) this.#values[start + index] = measureValues[index] as number;
    this.#valuesLength = end;
    if (sampleRate !== 1) this.#sampleRates.set(row, sampleRate);
    this.#starts[row] = start;
    this.#hints[row] = variantHint;
    this.#hintPlaces[row] = hintPlace;
    this.#names[row] = this.#listNumber(measureNames);
    this.#statuses[row] = OUTCOME_STATUSES.indexOf(status);
    this.#unitFroms[row] = unitFrom;
    this.#unitTos[row] = unitTo;
  }

  /** The outcomes in these rows, one after the other in one object: read each before the next comes. */
  visit(rows: Uint32Array, records: RecordReader, take: (outcome: SlicedOutcome) => void): void {
    const outcome = new WaitingOutcome(records);
    outcome.measureValues = this.#values;
    for (const row of rows) {
      outcome.row = row;
      outcome.eventTs = records.eventTs(row) as EpochMs;
      outcome.variantHint = this.#hints[row] as SlicedOutcome['variantHint'];
      outcome.hintPlace = this.#hintPlaces[row] as number;
      outcome.measureNames = this.#lists[this.#names[row] as number] as readonly string[];
      outcome.valuesFrom = this.#starts[row] as number;
      outcome.status = OUTCOME_STATUSES[this.#statuses[row] as number] as OutcomeStatus;
      outcome.sampleRate = this.#sampleRates.size === 0 ? 1 : (this.#sampleRates.get(row) ?? 1);
      outcome.unitFrom = this.#unitFroms[row] as number;
      outcome.unitTo = this.#unitTos[row] as number;
      take(outcome);
    }
  }

  /** The list of before, mostly. */
  #listNumber(names: readonly string[]): number {
    const last = this.#lists.length - 1;
    if (this.#lists[last] === names) return last;
    const known = this.#listNumbers.get(names);
    if (known !== undefined) return known;
    this.#lists.push(names);
    this.#listNumbers.set(names, last + 1);
    return last + 1;
  }

  #growRows(row: number): void {
    const rows = Math.max(row + 1, this.#starts.length * 2);
    while (this.#hints.length < rows) this.#hints.push(NO_HINT);
    this.#hintPlaces = lengthened(this.#hintPlaces, rows);
    this.#statuses = lengthened(this.#statuses, rows);
    this.#starts = lengthened(this.#starts, rows);
    this.#unitFroms = lengthened(this.#unitFroms, rows);
    this.#unitTos = lengthened(this.#unitTos, rows);
    this.#names = lengthened(this.#names, rows);
  }

  #growValues(needed: number): void {
    this.#values = lengthened(this.#values, Math.max(needed, this.#values.length * 2));
  }
}

const NO_HINT: SlicedOutcome['variantHint'] = {};

type Column = Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>;

/** A copy with room for `length` places. */
export function lengthened<T extends Column>(column: T, length: number): T {
  const make = column.constructor as new (length: number) => T;
  const longer = new make(length);
  longer.set(column as never);
  return longer;
}

class WaitingOutcome implements SlicedOutcome {
  readonly #records: RecordReader;
  row = 0;
  eventTs = 0 as EpochMs;
  variantHint: SlicedOutcome['variantHint'] = {};
  hintPlace = NO_PLACE;
  measureNames: readonly string[] = [];
  measureValues: ArrayLike<number> = [];
  valuesFrom = 0;
  status: OutcomeStatus = 'ok';
  sampleRate = 1;
  unitFrom = UNIT_UNKNOWN;
  unitTo = UNIT_UNKNOWN;

  constructor(records: RecordReader) {
    this.#records = records;
  }

  get unitId(): string {
    if (this.unitTo === UNIT_UNKNOWN) return this.#records.whole(this.row).unitId;
    return this.#records.text(this.row, this.unitFrom, this.unitTo);
  }

  get attributes(): SlicedOutcome['attributes'] {
    return this.#records.whole(this.row).attributes;
  }
}
