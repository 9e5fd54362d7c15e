import type {EventCells} from './event-cells.ts';
import type {DeadLetterCode, Exposure, Outcome, Position} from './events.ts';
import type {EpochMs} from './units.ts';

/** Where and when the log took a record; `arrivalTs` is the running maximum of `appendTs` in the partition. */
export type Arrival = Position & {readonly appendTs: EpochMs; readonly arrivalTs: EpochMs};

export type ExposureFact = Exposure & {readonly arrival: Arrival};
export type OutcomeFact = Outcome & {readonly arrival: Arrival};

/** {@link Arrival} with its offset in two halves: a bigint for each row is dear. */
export type Taken = {logEpoch: number; partition: number; offsetLow: number; offsetHigh: number; appendTs: number; arrivalTs: number};

export const ARRIVAL_KINDS = ['exposure', 'outcome', 'tick', 'dead_letter', 'forgotten'] as const;

/** One narrow row per position of the log (DESIGN C6). */
export type ArrivalRow = Arrival & {
  readonly kind: (typeof ARRIVAL_KINDS)[number];
  /** xxh64 of (kind, unit_id, event_id); 0 for ticks and dead letters. */
  readonly idHash: bigint;
  /** xxh64 of the record's bytes. */
  readonly payloadHash: bigint;
  readonly code: DeadLetterCode | '';
};

/** A record that cannot be a fact, kept whole (DESIGN C7). */
export type DeadLetterRow = Arrival & {
  /** Of a range that could not be read at all the first offset is `offset`. */
  readonly lastOffset: bigint;
  readonly code: DeadLetterCode;
  readonly message: string;
  readonly key: string | null;
  readonly value: Uint8Array;
};

/** Rows to be read one after the other, as often as wanted; a worker makes each from the log's bytes when it is its turn. */
export type FactRows<Row> = Iterable<Row> & {readonly length: number};

/** Takes facts one after the other; cells and what goes with them hold during the call only. */
export type FactVisitor<Fact> = {
  pushCells(cells: EventCells, taken: Taken): void;
  /** A fact that is not in the layout cells are known of. */
  pushFact(fact: Fact): void;
};

/** Facts that can also be had as cells of the log's bytes: the same ones, in the same order. */
export type EncodedFactRows<Fact> = FactRows<Fact> & {readonly visit?: (visitor: FactVisitor<Fact>) => void};

/** Arrivals of one partition, the first `length` places of each column. */
export type ArrivalColumns = {
  readonly logEpoch: number;
  readonly partition: number;
  readonly length: number;
  /** Places in ARRIVAL_KINDS. */
  readonly kinds: Uint8Array;
  readonly offsets: BigInt64Array;
  readonly appendTs: Float64Array;
  readonly arrivalTs: Float64Array;
  readonly idHashes: BigUint64Array;
  readonly payloadHashes: BigUint64Array;
  /** Of dead letters alone, by row. */
  readonly codes: ReadonlyMap<number, DeadLetterCode | ''>;
};

/** Arrivals that can also be had as columns: the same ones, in the same order. */
export type ArrivalRows = FactRows<ArrivalRow> & {readonly columns?: () => readonly ArrivalColumns[]};

/** What one flush of a worker makes durable before it commits. */
export type FactBatch = {
  readonly stream: string;
  readonly exposures: EncodedFactRows<ExposureFact>;
  readonly outcomes: EncodedFactRows<OutcomeFact>;
  readonly deadLetters: readonly DeadLetterRow[];
  readonly arrivals: ArrivalRows;
};
