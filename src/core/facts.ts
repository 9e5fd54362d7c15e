import type {DeadLetterCode, Exposure, Outcome, Position} from './events.ts';
import type {EpochMs} from './units.ts';

/** Where and when the log took a record; `arrivalTs` is the running maximum of `appendTs` in the partition. */
export type Arrival = Position & {readonly appendTs: EpochMs; readonly arrivalTs: EpochMs};

export type ExposureFact = Exposure & {readonly arrival: Arrival};
export type OutcomeFact = Outcome & {readonly arrival: Arrival};

/** One narrow row per position of the log (DESIGN C6). */
export type ArrivalRow = Arrival & {
  readonly kind: 'exposure' | 'outcome' | 'tick' | 'dead_letter' | 'forgotten';
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

/** What one flush of a worker makes durable before it commits. */
export type FactBatch = {
  readonly stream: string;
  readonly exposures: FactRows<ExposureFact>;
  readonly outcomes: FactRows<OutcomeFact>;
  readonly deadLetters: readonly DeadLetterRow[];
  readonly arrivals: FactRows<ArrivalRow>;
};
