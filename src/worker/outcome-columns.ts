import {assert} from '../core/assert.ts';
import {OUTCOME_STATUSES, type OutcomeStatus} from '../core/events.ts';
import type {EpochMs} from '../core/units.ts';
import type {SlicedOutcome} from './sliced-outcome.ts';

const VALUES_PER_ROW = 4;
const UNIT_UNKNOWN = 0;

/** Of an outcome that is taken: what slices will ask for, and where in its record the unit lies (0 to 0: not known). */
export type TakenOutcome = {
  readonly outcome: Pick<SlicedOutcome, 'variantHint' | 'measureNames' | 'measureValues' | 'status'>;
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
 * so that hardly any is read a second time. One place per waiting row of any kind.
 *
 *     hint, names   places in the lists of those seen      3 1 │ 0 1 │ …
 *     values        the measures behind each other         12.5 7 0 │ 9.1 3 1 │ …
 *     starts        where a row's values begin             └──────── └────────
 */
export class OutcomeColumns {
  #hintAt: Uint32Array<ArrayBuffer>;
  #namesAt: Uint32Array<ArrayBuffer>;
  #starts: Uint32Array<ArrayBuffer>;
  #statusAt: Uint32Array<ArrayBuffer>;
  #unitPlaces: Uint32Array<ArrayBuffer>;
  #values: Float64Array<ArrayBuffer>;
  readonly #hints = new Seen<SlicedOutcome['variantHint']>();
  readonly #names = new Seen<readonly string[]>();
  #valuesLength = 0;

  constructor(rows: number) {
    this.#hintAt = new Uint32Array(rows);
    this.#namesAt = new Uint32Array(rows);
    this.#starts = new Uint32Array(rows);
    this.#statusAt = new Uint32Array(rows);
    this.#unitPlaces = new Uint32Array(rows * 2);
    this.#values = new Float64Array(rows * VALUES_PER_ROW);
  }

  /** Rows rise from call to call. */
  set(row: number, {outcome, unitFrom, unitTo}: TakenOutcome): void {
    while (row >= this.#starts.length) this.#growRows();
    const {variantHint, measureNames, measureValues, status} = outcome;
    const start = this.#valuesLength;
    const end = start + measureNames.length;
    if (end > this.#values.length) this.#growValues(end);
    for (let index = 0; index < measureNames.length; index++) this.#values[start + index] = measureValues[index] as number;
    this.#valuesLength = end;
    this.#starts[row] = start;
    this.#hintAt[row] = this.#hints.placeOf(variantHint);
    this.#namesAt[row] = this.#names.placeOf(measureNames);
    this.#statusAt[row] = OUTCOME_STATUSES.indexOf(status);
    this.#unitPlaces[row * 2] = unitFrom;
    this.#unitPlaces[row * 2 + 1] = unitTo;
  }

  /** The outcomes in these rows, one after the other in one object: read each before the next comes. */
  visit(rows: readonly number[], records: RecordReader, take: (outcome: SlicedOutcome) => void): void {
    const outcome = new WaitingOutcome(records);
    outcome.measureValues = this.#values;
    for (const row of rows) {
      outcome.row = row;
      outcome.eventTs = records.eventTs(row) as EpochMs;
      outcome.variantHint = this.#hints.at(this.#hintAt[row] as number);
      outcome.measureNames = this.#names.at(this.#namesAt[row] as number);
      outcome.valuesFrom = this.#starts[row] as number;
      outcome.status = OUTCOME_STATUSES[this.#statusAt[row] as number] as OutcomeStatus;
      outcome.unitFrom = this.#unitPlaces[row * 2] as number;
      outcome.unitTo = this.#unitPlaces[row * 2 + 1] as number;
      take(outcome);
    }
  }

  #growRows(): void {
    const rows = Math.max(1, this.#starts.length * 2);
    this.#hintAt = withRoom(this.#hintAt, rows);
    this.#namesAt = withRoom(this.#namesAt, rows);
    this.#starts = withRoom(this.#starts, rows);
    this.#statusAt = withRoom(this.#statusAt, rows);
    this.#unitPlaces = withRoom(this.#unitPlaces, rows * 2);
  }

  #growValues(needed: number): void {
    const larger = new Float64Array(Math.max(needed, this.#values.length * 2));
    larger.set(this.#values);
    this.#values = larger;
  }
}

class WaitingOutcome implements SlicedOutcome {
  readonly #records: RecordReader;
  row = 0;
  eventTs = 0 as EpochMs;
  variantHint: SlicedOutcome['variantHint'] = {};
  measureNames: readonly string[] = [];
  measureValues: ArrayLike<number> = [];
  valuesFrom = 0;
  status: OutcomeStatus = 'ok';
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

/** Objects that come again and again, by a number each. */
class Seen<T extends object> {
  readonly #objects: T[] = [];
  readonly #places = new Map<T, number>();

  placeOf(object: T): number {
    const known = this.#places.get(object);
    if (known !== undefined) return known;
    this.#places.set(object, this.#objects.length);
    return this.#objects.push(object) - 1;
  }

  at(place: number): T {
    const object = this.#objects[place];
    assert(object !== undefined, 'a place comes from placeOf');
    return object;
  }
}

function withRoom(column: Uint32Array<ArrayBuffer>, places: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(places);
  larger.set(column);
  return larger;
}
