import type {DeadLetterCode, Event, Exposure, Outcome} from '../core/events.ts';
import type {Arrival, ArrivalRow, DeadLetterRow, ExposureFact, FactRows, OutcomeFact} from '../core/facts.ts';
import type {EpochMs} from '../core/units.ts';
import type {EventCodec, SlicedOutcome} from './event-codec.ts';
import {WORKER_LIMITS} from './worker-limits.ts';

/** Kinds by the number that stands for them in a column. */
const KINDS = ['exposure', 'outcome', 'tick', 'dead_letter'] as const;
export type RowKind = (typeof KINDS)[number];
const [EXPOSURE, OUTCOME] = [0, 1];

const ROWS_MIN = 256;
const BYTES_MIN = 32 * 1024;
const HEADROOM = 1.25;
const NO_EVENT = {eventTs: 0, idHash: 0n} as const;

/** Of a record that becomes a fact: what is asked of it before it is decoded again. */
export type EventColumns = {readonly eventTs: number; readonly idHash: bigint};

/**
 * What became of the records of one partition, waiting for a flush: the bytes of
 * the accepted ones behind each other, and columns of numbers about all of them.
 *
 *     values   [exposure bytes][outcome bytes][outcome bytes]…
 *     ends     ───────────────┘──────────────┘──────────────┘
 *     kind, offset, appendTs, arrivalTs, eventTs, idHash, payloadHash: one place a row
 *
 * Facts are decoded when a flush reads them, one at a time, and forgotten. Kept as
 * objects, fifty thousand of them outlive the young generation, and moving them
 * there costs several times what decoding twice does.
 */
export class PendingRows {
  readonly #codec: EventCodec;
  readonly #at: {readonly logEpoch: number; readonly partition: number};
  readonly deadLetters: DeadLetterRow[] = [];
  readonly #counts = new Uint32Array(KINDS.length);
  #length = 0;
  #valuesLength = 0;
  #bytes = 0;
  /** A Buffer, so that readers need not wrap each view of it. */
  #values: Uint8Array<ArrayBuffer>;
  #ends: Uint32Array<ArrayBuffer>;
  #kinds: Uint8Array<ArrayBuffer>;
  #offsets: BigInt64Array<ArrayBuffer>;
  #appendTs: Float64Array<ArrayBuffer>;
  #arrivalTs: Float64Array<ArrayBuffer>;
  #eventTs: Float64Array<ArrayBuffer>;
  #idHashes: BigUint64Array<ArrayBuffer>;
  #payloadHashes: BigUint64Array<ArrayBuffer>;

  /** @param before the rows of the flush before, which these will be about as many as */
  constructor(at: {readonly logEpoch: number; readonly partition: number}, codec: EventCodec, before?: PendingRows) {
    this.#at = at;
    this.#codec = codec;
    const rows = Math.max(ROWS_MIN, Math.ceil((before?.length ?? 0) * HEADROOM));
    this.#values = Buffer.allocUnsafeSlow(Math.max(BYTES_MIN, Math.ceil((before === undefined ? 0 : before.#valuesLength) * HEADROOM)));
    this.#ends = new Uint32Array(rows);
    this.#kinds = new Uint8Array(rows);
    this.#offsets = new BigInt64Array(rows);
    this.#appendTs = new Float64Array(rows);
    this.#arrivalTs = new Float64Array(rows);
    this.#eventTs = new Float64Array(rows);
    this.#idHashes = new BigUint64Array(rows);
    this.#payloadHashes = new BigUint64Array(rows);
  }

  /** One row for each record. */
  get length(): number {
    return this.#length;
  }

  /** Size in memory, roughly: record bytes plus a constant per row. */
  get bytes(): number {
    return this.#bytes;
  }

  countOf(kind: RowKind): number {
    return this.#counts[KINDS.indexOf(kind)] ?? 0;
  }

  pushFact(arrival: Arrival, event: EventColumns & {readonly kind: 'exposure' | 'outcome'; readonly payloadHash: bigint}, value: Uint8Array): void {
    const end = this.#valuesLength + value.byteLength;
    if (end > this.#values.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, this.#values.length * 2));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values.set(value, this.#valuesLength);
    this.#valuesLength = end;
    this.#bytes += value.byteLength;
    this.#push(arrival, event.kind === 'exposure' ? EXPOSURE : OUTCOME, event, event.payloadHash);
  }

  pushTick(arrival: Arrival, payloadHash: bigint): void {
    this.#push(arrival, KINDS.indexOf('tick'), NO_EVENT, payloadHash);
  }

  /** A range that could not be read has a row for each offset and one letter. */
  pushDeadLetter(arrival: Arrival, payloadHash: bigint, letter: DeadLetterRow | null): void {
    if (letter !== null) {
      this.deadLetters.push(letter);
      this.#bytes += letter.value.byteLength;
    }
    this.#push(arrival, KINDS.indexOf('dead_letter'), NO_EVENT, payloadHash);
  }

  get exposures(): FactRows<ExposureFact> {
    return this.#rows(this.countOf('exposure'), () => this.#factsOf(EXPOSURE) as Iterable<ExposureFact>);
  }

  get outcomes(): FactRows<OutcomeFact> {
    return this.#rows(this.countOf('outcome'), () => this.#factsOf(OUTCOME) as Iterable<OutcomeFact>);
  }

  get arrivals(): FactRows<ArrivalRow> {
    return this.#rows(this.#length, () => this.#arrivalRows());
  }

  /** The rows of the outcomes for which `wants` says so, judged by the columns alone. */
  outcomeRowsWhere(wants: (eventTs: number, arrivalTs: number, idHash: bigint) => boolean): number[] {
    const found: number[] = [];
    for (let row = 0; row < this.#length; row++) {
      if (this.#kinds[row] !== OUTCOME) continue;
      if (wants(this.#eventTs[row] ?? 0, this.#arrivalTs[row] ?? 0, this.#idHashes[row] ?? 0n)) found.push(row);
    }
    return found;
  }

  /** What slices need of the outcomes in these rows, one at a time. */
  *outcomesAt(rows: readonly number[]): Generator<SlicedOutcome> {
    const {project} = this.#codec;
    for (const row of rows) {
      yield project === undefined ? (this.#event(row) as Outcome) : project(this.#value(row));
    }
  }

  *#factsOf(kind: number): Generator<ExposureFact | OutcomeFact> {
    for (let row = 0; row < this.#length; row++) if (this.#kinds[row] === kind) yield this.#fact(row);
  }

  #fact(row: number): ExposureFact | OutcomeFact {
    const event = this.#event(row);
    const arrival = this.#arrival(row);
    return event.kind === 'outcome' ? outcomeFact(event, arrival) : exposureFact(event, arrival);
  }

  /** What was decoded once is decoded again. */
  #event(row: number): Event {
    const decoded = this.#codec.decode(this.#value(row));
    if (!decoded.ok) throw new Error(`a record that was accepted is refused now: ${decoded.message}`);
    return decoded.event as Event;
  }

  #value(row: number): Uint8Array {
    return this.#values.subarray(row === 0 ? 0 : this.#ends[row - 1], this.#ends[row]);
  }

  *#arrivalRows(): Generator<ArrivalRow> {
    let letter = 0;
    let code: DeadLetterCode | '' = '';
    for (let row = 0; row < this.#length; row++) {
      const {logEpoch, partition} = this.#at;
      const offset = this.#offsets[row] ?? 0n;
      const kind = KINDS[this.#kinds[row] ?? 0] as RowKind;
      if (kind === 'dead_letter' && this.deadLetters[letter]?.offset === offset) code = this.deadLetters[letter++]?.code ?? '';
      yield {
        logEpoch,
        partition,
        offset,
        appendTs: this.#appendTs[row] as EpochMs,
        arrivalTs: this.#arrivalTs[row] as EpochMs,
        kind,
        idHash: this.#idHashes[row] ?? 0n,
        payloadHash: this.#payloadHashes[row] ?? 0n,
        code: kind === 'dead_letter' ? code : '',
      };
    }
  }

  #arrival(row: number): Arrival {
    return {
      logEpoch: this.#at.logEpoch,
      partition: this.#at.partition,
      offset: this.#offsets[row] ?? 0n,
      appendTs: this.#appendTs[row] as EpochMs,
      arrivalTs: this.#arrivalTs[row] as EpochMs,
    };
  }

  #rows<Row>(length: number, iterate: () => Iterable<Row>): FactRows<Row> {
    return {length, [Symbol.iterator]: () => iterate()[Symbol.iterator]()};
  }

  #push(arrival: Arrival, kind: number, {eventTs, idHash}: EventColumns, payloadHash: bigint): void {
    const row = this.#length;
    if (row === this.#kinds.length) this.#growColumns();
    this.#ends[row] = this.#valuesLength;
    this.#kinds[row] = kind;
    this.#offsets[row] = arrival.offset;
    this.#appendTs[row] = arrival.appendTs;
    this.#arrivalTs[row] = arrival.arrivalTs;
    this.#eventTs[row] = eventTs;
    this.#idHashes[row] = idHash;
    this.#payloadHashes[row] = payloadHash;
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
    this.#length = row + 1;
    this.#bytes += WORKER_LIMITS.rowOverheadBytes;
  }

  #growColumns(): void {
    const rows = this.#kinds.length * 2;
    this.#ends = grown(this.#ends, rows);
    this.#kinds = grown(this.#kinds, rows);
    this.#offsets = grown(this.#offsets, rows);
    this.#appendTs = grown(this.#appendTs, rows);
    this.#arrivalTs = grown(this.#arrivalTs, rows);
    this.#eventTs = grown(this.#eventTs, rows);
    this.#idHashes = grown(this.#idHashes, rows);
    this.#payloadHashes = grown(this.#payloadHashes, rows);
  }
}

function exposureFact(event: Exposure, arrival: Arrival): ExposureFact {
  const {kind, eventId, experiment, variant, phase, unitId, eventTs, configVersion, reason} = event;
  const {itemId, sessionId, sampleRate, traceId, attributes} = event;
  return {
    kind, eventId, experiment, variant, phase, unitId, eventTs, configVersion, reason, itemId, sessionId, sampleRate, traceId,
    attributes, arrival,
  };
}

/** Written out: a spread costs more than the decoding of a short record. */
function outcomeFact(event: Outcome, arrival: Arrival): OutcomeFact {
  const {kind, eventId, unitId, eventTs, itemId, variantHint, measures, status, sampleRate, traceId, attributes} = event;
  return {kind, eventId, unitId, eventTs, itemId, variantHint, measures, status, sampleRate, traceId, attributes, arrival};
}

type Column = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>;

/** A copy with room for `needed` places, at least twice as many as before. */
function grown<T extends Column>(column: T, needed: number): T {
  const make = column.constructor as new (length: number) => T;
  const larger = new make(Math.max(needed, column.length * 2));
  larger.set(column as never);
  return larger;
}
