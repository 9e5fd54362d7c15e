import type {DeadLetterCode} from '../core/events.ts';
import type {Arrival} from '../core/facts.ts';
import type {DurationMs, EpochMs} from '../core/units.ts';
import type {LogRecord} from '../log/event-log.ts';
import type {EventCodec} from './event-codec.ts';
import {arrivalAfter, type PartitionCursor} from './partition-cursor.ts';
import type {PendingRows} from './pending-rows.ts';
import type {RecordHasher} from './record-hasher.ts';
import {WORKER_LIMITS} from './worker-limits.ts';

export type DecodeContext = {
  readonly codec: EventCodec;
  readonly hasher: RecordHasher;
  readonly maxAgeMs: DurationMs | null;
};

export type DecodedBatch = {
  readonly cursor: PartitionCursor;
  /** Offsets between the cursor and the first record: control records, or an alarm. */
  readonly gapOffsets: bigint;
  /** Records at offsets already taken, left out. */
  readonly redelivered: number;
};

/** Records of one partition, in offset order → rows with facts, dead letters and their arrivals. */
export function decodeBatch(
  start: PartitionCursor,
  records: readonly LogRecord[],
  context: DecodeContext & {readonly rows: PendingRows},
): DecodedBatch {
  const {logEpoch, partition} = start;
  let {nextOffset, arrivalHigh} = start;
  let gapOffsets = 0n;
  let redelivered = 0;
  for (const record of records) {
    const {offset, timestamp: appendTs} = record;
    if (offset < nextOffset) {
      redelivered++;
      continue;
    }
    if (offset > nextOffset) gapOffsets += offset - nextOffset;
    nextOffset = offset + 1n;
    arrivalHigh = arrivalAfter(arrivalHigh, appendTs);
    takeRecord(record, {logEpoch, partition, offset, appendTs, arrivalTs: arrivalHigh}, context);
  }
  return {cursor: {logEpoch, partition, nextOffset, arrivalHigh}, gapOffsets, redelivered};
}

/**
 * A stretch of the log that cannot be read at all: an arrivals row per offset, so
 * that the ledger balances, and one dead letter for the range.
 */
export function decodeUnreadable(
  start: PartitionCursor,
  range: {readonly firstOffset: bigint; readonly lastOffset: bigint; readonly timestamp: EpochMs; readonly reason: string},
  rows: PendingRows,
): DecodedBatch {
  const {logEpoch, partition} = start;
  const first = larger(range.firstOffset, start.nextOffset);
  let {nextOffset, arrivalHigh} = start;
  const boundedLast = first + BigInt(WORKER_LIMITS.unreadableRowsMax) - 1n;
  const last = range.lastOffset < boundedLast ? range.lastOffset : boundedLast;
  for (let offset = first; offset <= last; offset++) {
    nextOffset = offset + 1n;
    arrivalHigh = arrivalAfter(arrivalHigh, range.timestamp);
    const arrival = {logEpoch, partition, offset, appendTs: range.timestamp, arrivalTs: arrivalHigh};
    const letter = {lastOffset: range.lastOffset, code: 'undecodable', message: range.reason, key: null} as const;
    rows.pushDeadLetter(arrival, 0n, offset === first ? {...arrival, ...letter, value: new Uint8Array(0)} : null);
  }
  if (range.lastOffset >= nextOffset) nextOffset = range.lastOffset + 1n;
  return {cursor: {logEpoch, partition, nextOffset, arrivalHigh}, gapOffsets: first - start.nextOffset, redelivered: 0};
}

function takeRecord(
  record: LogRecord,
  arrival: Arrival,
  {codec, hasher, maxAgeMs, rows}: DecodeContext & {readonly rows: PendingRows},
): void {
  const {value} = record;
  const payloadHash = hasher.payload(value);
  const {appendTs, arrivalTs} = arrival;
  const glance = codec.glance?.(value, {appendTs, arrivalTs, maxAgeMs});
  if (glance != null) {
    rows.pushFact(arrival, {kind: glance.kind, eventTs: glance.eventTs, idHash: hasher.idAt(glance), payloadHash}, value);
    return;
  }
  const decoded = codec.decode(value);
  if (!decoded.ok) {
    refuse(record, arrival, {rows, payloadHash, problem: decoded});
    return;
  }
  const {event} = decoded;
  if (event.kind === 'tick') {
    rows.pushTick(arrival, payloadHash);
    return;
  }
  const problem = codec.check(event, {appendTs, arrivalTs, maxAgeMs});
  if (problem !== null) {
    refuse(record, arrival, {rows, payloadHash, problem});
    return;
  }
  rows.pushFact(arrival, {kind: event.kind, eventTs: event.eventTs, idHash: hasher.id(event), payloadHash}, value);
}

type Problem = {readonly code: DeadLetterCode; readonly message: string};

function refuse(
  {key, value}: LogRecord,
  arrival: Arrival,
  {rows, payloadHash, problem}: {readonly rows: PendingRows; readonly payloadHash: bigint; readonly problem: Problem},
): void {
  const {code, message} = problem;
  rows.pushDeadLetter(arrival, payloadHash, {...arrival, lastOffset: arrival.offset, code, message, key, value: value.slice()});
}

/** Offsets are 64-bit; `Math.max` takes numbers only. */
const larger = (a: bigint, b: bigint): bigint => [a, b].reduce((max, offset) => (offset > max ? offset : max));
