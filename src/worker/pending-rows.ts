import {EventCells} from '../core/event-cells.ts';
import type {DeadLetterCode, Event, Exposure, Outcome} from '../core/events.ts';
import {
  type Arrival,
  ARRIVAL_KINDS,
  type ArrivalColumns,
  type ArrivalRow,
  type ArrivalRows,
  type DeadLetterRow,
  type EncodedFactRows,
  type ExposureFact,
  type FactRows,
  type FactVisitor,
  type OutcomeFact,
} from '../core/facts.ts';
import type {EpochMs} from '../core/units.ts';
import type {LogRecord, RawRecord} from '../log/event-log.ts';
import type {EventCodec} from './event-codec.ts';
import {lengthened, OutcomeColumns} from './outcome-columns.ts';
import {RecordCopies} from './record-copies.ts';
import type {RecordHasher} from './record-hasher.ts';
import type {SlicedOutcome} from './sliced-outcome.ts';
import {WORKER_LIMITS} from './worker-limits.ts';

/** Kinds by the number that stands for them in a column; what was forgotten is told later. */
const KINDS = ARRIVAL_KINDS;
export type RowKind = Exclude<(typeof KINDS)[number], 'forgotten'>;
const [EXPOSURE, OUTCOME] = [0, 1];

const ROWS_MIN = 256;
const HEADROOM = 1.25;
const ROOM_FACTOR_MAX = 8;

/** A record as the log gave it, and when. */
export type TakenRecord = {readonly raw: RawRecord; readonly appendTs: number; readonly arrivalTs: number};

/** Of a record that becomes a fact: what is asked of it before it is decoded again. */
export type TakenEvent = {
  readonly kind: 'exposure' | 'outcome';
  readonly eventTs: number;
  readonly idHash: bigint;
  /** Of an outcome, what slices need. */
  readonly outcome: Pick<SlicedOutcome, 'variantHint' | 'hintPlace' | 'measureNames' | 'measureValues' | 'status' | 'sampleRate'>;
  /** Where the unit lies in the record, in ASCII; 0 to 0 when that is not known. */
  readonly unitFrom: number;
  readonly unitTo: number;
};

const NO_EVENT = {eventTs: 0, idHash: 0n} as const;
type RowNumbers = {readonly eventTs: number; readonly idHash: bigint};

/**
 * What became of the records of one partition, waiting for a flush: where the bytes
 * of the accepted ones lie, and columns of numbers about all of them.
 *
 *     sources  [fetched bytes: … value … value …][bytes copied from elsewhere …]
 *     source, from, to, kind, offset, appendTs, arrivalTs, eventTs, idHash, payloadHash: one place a row
 *
 * A sink that takes cells copies them from the bytes. For any other reader facts are
 * decoded one at a time and forgotten. Kept as objects, fifty thousand of them outlive
 * the young generation, and moving them there costs several times what decoding twice does.
 */
export class PendingRows {
  readonly #codec: EventCodec;
  readonly #at: {readonly logEpoch: number; readonly partition: number};
  readonly deadLetters: DeadLetterRow[] = [];
  readonly #codes = new Map<number, DeadLetterCode | ''>();
  readonly #counts = new Uint32Array(KINDS.length);
  readonly #hasher: RecordHasher;
  readonly #sliced: OutcomeColumns;
  /** What the values lie in: memory of the log that is not written again, or our own copies. */
  readonly #sources: Buffer<ArrayBufferLike>[] = [];
  /** The same memory as the last source, as it was given. */
  #lastGiven: Uint8Array | undefined;
  readonly #copies = new RecordCopies();
  #length = 0;
  #bytes = 0;
  /** Rows below have their payload hash. */
  #hashed = 0;
  #sourceAt: Uint32Array<ArrayBuffer>;
  #froms: Uint32Array<ArrayBuffer>;
  #tos: Uint32Array<ArrayBuffer>;
  #kinds: Uint8Array<ArrayBuffer>;
  #offsets: BigInt64Array<ArrayBuffer>;
  /** The same memory, to be written without bigints. */
  #offsetHalves: Uint32Array<ArrayBuffer>;
  #appendTs: Float64Array<ArrayBuffer>;
  #arrivalTs: Float64Array<ArrayBuffer>;
  #eventTs: Float64Array<ArrayBuffer>;
  #idHashes: BigUint64Array<ArrayBuffer>;
  #payloadHashes: BigUint64Array<ArrayBuffer>;

  /** @param before the rows of the flush before, which these will be about as many as */
  constructor(
    at: {readonly logEpoch: number; readonly partition: number},
    {codec, hasher}: {readonly codec: EventCodec; readonly hasher: RecordHasher},
    before?: PendingRows,
  ) {
    this.#at = {logEpoch: at.logEpoch, partition: at.partition};
    this.#codec = codec;
    this.#hasher = hasher;
    const rows = Math.max(ROWS_MIN, Math.ceil((before?.length ?? 0) * HEADROOM));
    this.#sliced = new OutcomeColumns(rows);
    this.#sourceAt = new Uint32Array(rows);
    this.#froms = new Uint32Array(rows);
    this.#tos = new Uint32Array(rows);
    this.#kinds = new Uint8Array(rows);
    this.#offsets = new BigInt64Array(rows);
    this.#offsetHalves = halvesOf(this.#offsets);
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

  /** Whether its room is in proportion to the rows it has held: what a backlog needed is not kept for ever. */
  get isWorthKeeping(): boolean {
    return this.#kinds.length <= Math.max(ROWS_MIN, this.#length) * ROOM_FACTOR_MAX;
  }

  /**
   * Empty again, with the room it has: nobody may read it any more, nor facts made from it. Memory
   * outside the heap that is made anew for each flush is what the collector runs for.
   */
  reset(): void {
    this.deadLetters.length = 0;
    this.#codes.clear();
    this.#counts.fill(0);
    this.#sliced.reset();
    this.#sources.length = 0;
    this.#lastGiven = undefined;
    this.#copies.reset();
    this.#length = 0;
    this.#bytes = 0;
    this.#hashed = 0;
  }

  countOf(kind: RowKind): number {
    return this.#counts[KINDS.indexOf(kind)] ?? 0;
  }

  /** The record at `index` in memory that may be kept. */
  keep(records: readonly LogRecord[], index: number): RawRecord {
    return this.#copies.keep(records, index);
  }

  /** @param taken as `keep` gave it */
  pushFact(taken: TakenRecord, event: TakenEvent): void {
    const row = this.#push(taken, event.kind === 'exposure' ? EXPOSURE : OUTCOME, event);
    const {bytes, from, to} = taken.raw;
    if (this.#lastGiven !== bytes) {
      this.#lastGiven = bytes;
      this.#sources.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    }
    this.#sourceAt[row] = this.#sources.length - 1;
    this.#froms[row] = from;
    this.#tos[row] = to;
    this.#bytes += to - from;
    if (event.kind === 'outcome') this.#sliced.set(row, event);
  }

  pushTick(taken: TakenRecord, payloadHash: bigint): void {
    this.#payloadHashes[this.#push(taken, KINDS.indexOf('tick'), NO_EVENT)] = payloadHash;
  }

  /** A range that could not be read has a row for each offset and one letter. */
  pushDeadLetter(taken: TakenRecord, payloadHash: bigint, letter: DeadLetterRow | null): void {
    if (letter !== null) {
      this.deadLetters.push(letter);
      this.#bytes += letter.value.byteLength;
    }
    this.#codes.set(this.#length, this.deadLetters.at(-1)?.code ?? '');
    this.#payloadHashes[this.#push(taken, KINDS.indexOf('dead_letter'), NO_EVENT)] = payloadHash;
  }

  get exposures(): EncodedFactRows<ExposureFact> {
    return this.#facts(EXPOSURE);
  }

  get outcomes(): EncodedFactRows<OutcomeFact> {
    return this.#facts(OUTCOME);
  }

  get arrivals(): ArrivalRows {
    return {...rowsOf(this.#length, () => this.#arrivalRows()), columns: () => [this.#columns()]};
  }

  /** The rows of the outcomes for which `wants` says so, judged by the columns alone. */
  outcomeRowsWhere(wants: (outcome: OutcomeNumbers) => boolean): Uint32Array {
    const found = new Uint32Array(this.#length);
    let count = 0;
    const hashes = halvesOf(this.#idHashes);
    const outcome = {eventTs: 0, arrivalTs: 0, idLow: 0, idHigh: 0};
    for (let row = 0; row < this.#length; row++) {
      if (this.#kinds[row] !== OUTCOME) continue;
      outcome.eventTs = this.#eventTs[row] as number;
      outcome.arrivalTs = this.#arrivalTs[row] as number;
      outcome.idLow = hashes[row * 2] as number;
      outcome.idHigh = hashes[row * 2 + 1] as number;
      if (wants(outcome)) found[count++] = row;
    }
    return found.subarray(0, count);
  }

  /** What slices need of the outcomes in these rows, one after the other in one object: read each before the next comes. */
  visitOutcomes(rows: Uint32Array, take: (outcome: SlicedOutcome) => void): void {
    const {project} = this.#codec;
    const records = {
      eventTs: (row: number) => this.#eventTs[row] as number,
      text: (row: number, from: number, to: number) => this.#text(row, from, to),
      whole: (row: number) => (project === undefined ? (this.#event(row) as Outcome) : project(this.#value(row))),
    };
    this.#sliced.visit(rows, records, take);
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
    return (this.#sources[this.#sourceAt[row] as number] as Buffer).subarray(this.#froms[row], this.#tos[row]);
  }

  #text(row: number, from: number, to: number): string {
    const start = this.#froms[row] as number;
    return (this.#sources[this.#sourceAt[row] as number] as Buffer).toString('latin1', start + from, start + to);
  }

  /** Hashes of facts' bytes are asked for by the ledger alone, so they are made when it is written. */
  #hashPayloads(): void {
    for (; this.#hashed < this.#length; this.#hashed++) {
      const kind = this.#kinds[this.#hashed];
      if (kind === EXPOSURE || kind === OUTCOME) this.#payloadHashes[this.#hashed] = this.#hasher.payload(this.#value(this.#hashed));
    }
  }

  *#arrivalRows(): Generator<ArrivalRow> {
    this.#hashPayloads();
    for (let row = 0; row < this.#length; row++) {
      yield {
        ...this.#arrival(row),
        kind: KINDS[this.#kinds[row] ?? 0] as RowKind,
        idHash: this.#idHashes[row] ?? 0n,
        payloadHash: this.#payloadHashes[row] ?? 0n,
        code: this.#codes.get(row) ?? '',
      };
    }
  }

  #columns(): ArrivalColumns {
    this.#hashPayloads();
    return {
      ...this.#at, length: this.#length, kinds: this.#kinds, offsets: this.#offsets, appendTs: this.#appendTs, arrivalTs: this.#arrivalTs,
      idHashes: this.#idHashes, payloadHashes: this.#payloadHashes, codes: this.#codes,
    };
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

  #facts<Fact extends ExposureFact | OutcomeFact>(kind: number): EncodedFactRows<Fact> {
    const rows = rowsOf(this.#counts[kind] ?? 0, () => this.#factsOf(kind) as Iterable<Fact>);
    return this.#codec.locate === undefined ? rows : {...rows, visit: visitor => this.#visit(kind, visitor)};
  }

  #visit<Fact extends ExposureFact | OutcomeFact>(kind: number, visitor: FactVisitor<Fact>): void {
    const cells = new EventCells();
    const taken = {...this.#at, offsetLow: 0, offsetHigh: 0, appendTs: 0, arrivalTs: 0};
    const offsets = new Uint32Array(this.#offsets.buffer);
    for (let row = 0; row < this.#length; row++) {
      if (this.#kinds[row] !== kind) continue;
      if (this.#codec.locate?.(this.#value(row), cells) !== true) {
        visitor.pushFact(this.#fact(row) as Fact);
        continue;
      }
      taken.offsetLow = offsets[row * 2] ?? 0;
      taken.offsetHigh = offsets[row * 2 + 1] ?? 0;
      taken.appendTs = this.#appendTs[row] ?? 0;
      taken.arrivalTs = this.#arrivalTs[row] ?? 0;
      visitor.pushCells(cells, taken);
    }
  }

  /** @returns the row it became */
  #push({raw, appendTs, arrivalTs}: TakenRecord, kind: number, {eventTs, idHash}: RowNumbers): number {
    const row = this.#length;
    if (row === this.#kinds.length) this.#growColumns();
    const {offsetNumber} = raw;
    // A number above 2^32 keeps its lower half when it is stored as one of 32 bits.
    this.#offsetHalves[row * 2] = offsetNumber;
    this.#offsetHalves[row * 2 + 1] = offsetNumber / 2 ** 32;
    this.#kinds[row] = kind;
    this.#appendTs[row] = appendTs;
    this.#arrivalTs[row] = arrivalTs;
    this.#eventTs[row] = eventTs;
    this.#idHashes[row] = idHash;
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1;
    this.#length = row + 1;
    this.#bytes += WORKER_LIMITS.rowOverheadBytes;
    return row;
  }

  #growColumns(): void {
    const rows = this.#kinds.length * 2;
    this.#sourceAt = lengthened(this.#sourceAt, rows);
    this.#froms = lengthened(this.#froms, rows);
    this.#tos = lengthened(this.#tos, rows);
    this.#kinds = lengthened(this.#kinds, rows);
    this.#offsets = lengthened(this.#offsets, rows);
    this.#offsetHalves = halvesOf(this.#offsets);
    this.#appendTs = lengthened(this.#appendTs, rows);
    this.#arrivalTs = lengthened(this.#arrivalTs, rows);
    this.#eventTs = lengthened(this.#eventTs, rows);
    this.#idHashes = lengthened(this.#idHashes, rows);
    this.#payloadHashes = lengthened(this.#payloadHashes, rows);
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

/** Of an outcome that waits, what its columns say. */
export type OutcomeNumbers = {readonly eventTs: number; readonly arrivalTs: number; readonly idLow: number; readonly idHigh: number};

/** 64-bit numbers as two of 32 bits each, the lower half first. */
function halvesOf({buffer}: BigInt64Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  return new Uint32Array(buffer);
}

function rowsOf<Row>(length: number, iterate: () => Iterable<Row>): FactRows<Row> {
  return {length, [Symbol.iterator]: () => iterate()[Symbol.iterator]()};
}
