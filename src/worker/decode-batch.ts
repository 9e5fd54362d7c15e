import type {DeadLetterCode, Event} from '../core/events.ts';
import type {Arrival, ArrivalRow, DeadLetterRow, ExposureFact, OutcomeFact} from '../core/facts.ts';
import type {DurationMs, EpochMs} from '../core/units.ts';
import type {LogRecord} from '../log/event-log.ts';
import type {EventCodec} from './event-codec.ts';
import {arrive, type PartitionCursor} from './partition-cursor.ts';
import type {RecordHasher} from './record-hasher.ts';
import {WORKER_LIMITS} from './worker-limits.ts';

/** What became of some records of one partition. Every record has exactly one arrivals row. */
export type DecodedRows = {
  readonly exposures: ExposureFact[];
  /** Beside each outcome the hash of its identity, for the duplicate hints. */
  readonly outcomes: {readonly fact: OutcomeFact; readonly idHash: bigint}[];
  readonly deadLetters: DeadLetterRow[];
  readonly arrivals: ArrivalRow[];
  /** Size in memory, roughly: record bytes plus a constant per row. */
  bytes: number;
  ticks: number;
};

export type DecodeContext = {
  readonly codec: EventCodec;
  readonly hasher: RecordHasher;
  readonly maxAgeMs: DurationMs | null;
};

export type DecodedBatch = {
  readonly cursor: PartitionCursor;
  readonly rows: DecodedRows;
  /** Offsets between the cursor and the first record: control records, or an alarm. */
  readonly gapOffsets: bigint;
  /** Records at offsets already taken, left out. */
  readonly redelivered: number;
};

export const noRows = (): DecodedRows => ({
  exposures: [],
  outcomes: [],
  deadLetters: [],
  arrivals: [],
  bytes: 0,
  ticks: 0,
});

/** Records of one partition, in offset order → facts, dead letters and their arrivals. */
export function decodeBatch(
  start: PartitionCursor,
  records: readonly LogRecord[],
  context: DecodeContext,
): DecodedBatch {
  const rows = noRows();
  let cursor = start;
  let gapOffsets = 0n;
  let redelivered = 0;
  for (const record of records) {
    if (record.offset < cursor.nextOffset) {
      redelivered++;
      continue;
    }
    gapOffsets += record.offset - cursor.nextOffset;
    const step = arrive(cursor, record.offset, record.timestamp);
    cursor = step.cursor;
    rows.bytes += record.value.byteLength + WORKER_LIMITS.rowOverheadBytes;
    takeRecord(rows, record, step.arrival, context);
  }
  return {cursor, rows, gapOffsets, redelivered};
}

/**
 * A stretch of the log that cannot be read at all: an arrivals row per offset, so
 * that the ledger balances, and one dead letter for the range.
 */
export function decodeUnreadable(
  start: PartitionCursor,
  range: {readonly firstOffset: bigint; readonly lastOffset: bigint; readonly timestamp: EpochMs; readonly reason: string},
): DecodedBatch {
  const rows = noRows();
  const first = larger(range.firstOffset, start.nextOffset);
  let cursor = start;
  const boundedLast = first + BigInt(WORKER_LIMITS.unreadableRowsMax) - 1n;
  const last = range.lastOffset < boundedLast ? range.lastOffset : boundedLast;
  for (let offset = first; offset <= last; offset++) {
    const step = arrive(cursor, offset, range.timestamp);
    cursor = step.cursor;
    rows.bytes += WORKER_LIMITS.rowOverheadBytes;
    rows.arrivals.push({...step.arrival, kind: 'dead_letter', idHash: 0n, payloadHash: 0n, code: 'undecodable'});
    if (offset === first) {
      const letter = {lastOffset: range.lastOffset, code: 'undecodable', message: range.reason, key: null} as const;
      rows.deadLetters.push({...step.arrival, ...letter, value: new Uint8Array(0)});
    }
  }
  if (range.lastOffset >= cursor.nextOffset) cursor = {...cursor, nextOffset: range.lastOffset + 1n};
  return {cursor, rows, gapOffsets: first - start.nextOffset, redelivered: 0};
}

function takeRecord(rows: DecodedRows, record: LogRecord, arrival: Arrival, context: DecodeContext): void {
  const payloadHash = context.hasher.payload(record.value);
  const refuse = (code: DeadLetterCode, message: string): void => {
    rows.arrivals.push({...arrival, kind: 'dead_letter', idHash: 0n, payloadHash, code});
    const value = record.value.slice();
    rows.deadLetters.push({...arrival, lastOffset: arrival.offset, code, message, key: record.key, value});
  };
  const decoded = context.codec.decode(record.value);
  if (!decoded.ok) {
    refuse(decoded.code, decoded.message);
    return;
  }
  const {event} = decoded;
  if (event.kind === 'tick') {
    rows.ticks++;
    rows.arrivals.push({...arrival, kind: 'tick', idHash: 0n, payloadHash, code: ''});
    return;
  }
  const {appendTs, arrivalTs} = arrival;
  const problem = context.codec.check(event, {appendTs, arrivalTs, maxAgeMs: context.maxAgeMs});
  if (problem !== null) {
    refuse(problem.code, problem.message);
    return;
  }
  const idHash = context.hasher.id(event);
  rows.arrivals.push({...arrival, kind: event.kind, idHash, payloadHash, code: ''});
  keepFact(rows, event, {arrival, idHash});
}

function keepFact(rows: DecodedRows, event: Event, at: {readonly arrival: Arrival; readonly idHash: bigint}): void {
  // A decoder may hand out a view into the record, whose bytes are gone by the next batch.
  const eventId = event.eventId.byteLength === event.eventId.buffer.byteLength ? event.eventId : event.eventId.slice();
  if (event.kind === 'exposure') rows.exposures.push({...event, eventId, arrival: at.arrival});
  else rows.outcomes.push({fact: {...event, eventId, arrival: at.arrival}, idHash: at.idHash});
}

/** Offsets are 64-bit; `Math.max` takes numbers only. */
const larger = (a: bigint, b: bigint): bigint => [a, b].reduce((max, offset) => (offset > max ? offset : max));
