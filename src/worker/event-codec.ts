import type {EventCells} from '../core/event-cells.ts';
import type {DeadLetterCode, Event, LogEvent, Outcome, Tick} from '../core/events.ts';
import type {DurationMs, EpochMs} from '../core/units.ts';
import type {SlicedOutcome} from './sliced-outcome.ts';

/** What the bytes of a record are, or why they are nothing we know. */
export type DecodeResult =
  | {readonly ok: true; readonly event: LogEvent}
  | {readonly ok: false; readonly code: DeadLetterCode; readonly message: string};

/** A record's value among others: `from` up to `to` of `bytes`. */
export type ValuePlace = {readonly bytes: Uint8Array; readonly from: number; readonly to: number};

/** When the log took a record, for the checks that compare its times with it. */
export type ArrivalContext = {
  readonly appendTs: EpochMs;
  readonly arrivalTs: EpochMs;
  readonly maxAgeMs: DurationMs | null;
};

/**
 * What is asked of an accepted record at once, and where its identity lies in `bytes`:
 * the record's own, or others that hold it in the same form. Holds until the next glance.
 */
export type Glance = Pick<SlicedOutcome, 'variantHint' | 'hintPlace' | 'measureNames' | 'measureValues' | 'status' | 'sampleRate'> & {
  readonly kind: 'exposure' | 'outcome';
  readonly eventTs: number;
  readonly bytes: Uint8Array;
  readonly idAt: number;
  readonly unitAt: number;
  readonly unitEnd: number;
};

/** Bytes ⇄ events as the worker needs them: pure functions, handed in so that it never names a format. */
export type EventCodec = {
  /** Fetches what decoding these records needs (schemas of a registry); called before each batch. */
  prepare?(values: Iterable<Uint8Array>): Promise<void>;
  /** Never throws, whatever the bytes. */
  decode(bytes: Uint8Array): DecodeResult;
  /** A unit id as facts hold it (`decode` gives it so); left out, ids are stored as they come. */
  storedUnitId?(unitId: string): string;
  /** Accepts what `decode` and `check` certainly accept, without decoding it; null sends the record to them. */
  glance?(place: ValuePlace, context: ArrivalContext): Glance | null;
  /** Of bytes that `decode` took for an outcome, only what slices may need; left out, `decode` is called again. */
  project?(bytes: Uint8Array): Pick<Outcome, 'unitId' | 'attributes'>;
  /** Where the cells of bytes that `decode` took lie; false (or left out): `decode` is called again. */
  locate?(bytes: Uint8Array, cells: EventCells): boolean;
  /** Why a decoded event may not become a fact (DESIGN C7), or null. */
  check(event: Event, context: ArrivalContext): {readonly code: DeadLetterCode; readonly message: string} | null;
  encodeTick(tick: Tick): Uint8Array;
};
