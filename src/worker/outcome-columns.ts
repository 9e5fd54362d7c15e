import type {OutcomeStatus} from '../core/events.ts';
import type {EpochMs} from '../core/units.ts';
import type {SlicedOutcome} from './sliced-outcome.ts';

const VALUES_PER_ROW = 4;
const UNIT_UNKNOWN = 0;

/** Of an outcome that is taken: what slices will ask for, and where in its record the unit lies (0 to 0: not known). */
export type TakenOutcome = {
  readonly outcome: Pick<SlicedOutcome, 'variantHint' | 'measureNames' | 'measureValues' | 'status' | 'sampleRate'>;
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
 * so that hardly any is read a second time.
 *
 *     place         of a row among the outcomes            0 · · 1 …     (rows 1 and 2 are exposures)
 *     hint, names   one each per outcome, mostly shared
 *     values        the measures behind each other         12.5 7 0 │ 9.1 3 1 │ …
 *     starts        where an outcome's values begin        └──────── └────────
 */
export class OutcomeColumns {
  #places: Uint32Array<ArrayBuffer>;
  readonly #hints: SlicedOutcome['variantHint'][] = [];
  readonly #names: (readonly string[])[] = [];
  readonly #statuses: OutcomeStatus[] = [];
  readonly #starts: number[] = [];
  readonly #unitFroms: number[] = [];
  readonly #unitTos: number[] = [];
  /** By place, of sampled outcomes alone. */
  readonly #sampleRates = new Map<number, number>();
  #values: Float64Array<ArrayBuffer>;
  #valuesLength = 0;

  constructor(rows: number) {
    this.#places = new Uint32Array(rows);
    this.#values = new Float64Array(rows * VALUES_PER_ROW);
  }

  /** Rows rise from call to call. */
  set(row: number, {outcome, unitFrom, unitTo}: TakenOutcome): void {
    if (row >= this.#places.length) this.#growRows(row);
    const {variantHint, measureNames, measureValues, status, sampleRate} = outcome;
    const start = this.#valuesLength;
    const end = start + measureNames.length;
    if (end > this.#values.length) this.#growValues(end);
    for (let index = 0; index < measureNames.length; index++) this.#values[start + index] = measureValues[index] as number;
    this.#valuesLength = end;
    this.#places[row] = this.#starts.length;
    if (sampleRate !== 1) this.#sampleRates.set(this.#starts.length, sampleRate);
    this.#starts.push(start);
    this.#hints.push(variantHint);
    this.#names.push(measureNames);
    this.#statuses.push(status);
    this.#unitFroms.push(unitFrom);
    this.#unitTos.push(unitTo);
  }

  /** The outcomes in these rows, one after the other in one object: read each before the next comes. */
  visit(rows: readonly number[], records: RecordReader, take: (outcome: SlicedOutcome) => void): void {
    const outcome = new WaitingOutcome(records);
    outcome.measureValues = this.#values;
    for (const row of rows) {
      outcome.row = row;
      outcome.eventTs = records.eventTs(row) as EpochMs;
      const place = this.#places[row] as number;
      outcome.variantHint = this.#hints[place] as SlicedOutcome['variantHint'];
      outcome.measureNames = this.#names[place] as readonly string[];
      outcome.valuesFrom = this.#starts[place] as number;
      outcome.status = this.#statuses[place] as OutcomeStatus;
      outcome.sampleRate = this.#sampleRates.size === 0 ? 1 : (this.#sampleRates.get(place) ?? 1);
      outcome.unitFrom = this.#unitFroms[place] as number;
      outcome.unitTo = this.#unitTos[place] as number;
      take(outcome);
    }
  }

  #growRows(row: number): void {
    const larger = new Uint32Array(Math.max(row + 1, this.#places.length * 2));
    larger.set(this.#places);
    this.#places = larger;
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
