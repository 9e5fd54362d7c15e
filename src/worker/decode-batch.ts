import type {DeadLetterCode} from '../core/events.ts';
import type {DurationMs, EpochMs} from '../core/units.ts';
import type {LogRecord, RawRecord} from '../log/event-log.ts';
import type {ArrivalContext, EventCodec} from './event-codec.ts';
import {arrivalAfter, type PartitionCursor} from './partition-cursor.ts';
import type {PendingRows} from './pending-rows.ts';
import type {RecordHasher} from './record-hasher.ts';
import {NO_PLACE, slicedOutcome} from './sliced-outcome.ts';
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
  const {rows, maxAgeMs} = context;
  let {arrivalHigh} = start;
  // Below 2^53 for 285 years at a million records a second; bigints would be a twentieth of the work.
  let nextOffset = Number(start.nextOffset);
  let gapOffsets = 0;
  let redelivered = 0;
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as LogRecord;
    const offset = record.raw?.offsetNumber ?? Number(record.offset);
    if (offset < nextOffset) {
      redelivered++;
      continue;
    }
    gapOffsets += offset - nextOffset;
    nextOffset = offset + 1;
    const {timestamp: appendTs} = record;
    arrivalHigh = arrivalAfter(arrivalHigh, appendTs);
    takeRecord(record, {logEpoch, partition, raw: rows.keep(records, index), appendTs, arrivalTs: arrivalHigh, maxAgeMs}, context);
  }
  const cursor = {logEpoch, partition, nextOffset: BigInt(nextOffset), arrivalHigh};
  return {cursor, gapOffsets: BigInt(gapOffsets), redelivered};
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
    const raw = {offsetNumber: Number(offset), bytes: NO_BYTES, from: 0, to: 0};
    const isFirst = offset === first;
    rows.pushDeadLetter({raw, appendTs: range.timestamp, arrivalTs: arrivalHigh}, 0n, isFirst ? {...arrival, ...letter, value: NO_BYTES} : null);
  }
  if (range.lastOffset >= nextOffset) nextOffset = range.lastOffset + 1n;
  return {cursor: {logEpoch, partition, nextOffset, arrivalHigh}, gapOffsets: first - start.nextOffset, redelivered: 0};
}

const NO_BYTES = new Uint8Array(0);

/** A record taken from the log, and what judging it needs beside it. */
type Taking = ArrivalContext & Pick<PartitionCursor, 'logEpoch' | 'partition'> & {readonly raw: RawRecord};
type TakeContext = DecodeContext & {readonly rows: PendingRows};

function takeRecord(record: LogRecord, taking: Taking, context: TakeContext): void {
  const {codec, hasher, rows} = context;
  const {raw} = taking;
  const glance = codec.glance?.(raw, taking);
  if (glance == null) {
    takeSlowly(record, taking, context);
    return;
  }
  const isInPlace = glance.bytes === raw.bytes;
  rows.pushFact(taking, {
    kind: glance.kind,
    eventTs: glance.eventTs,
    idHash: hasher.idAt(glance),
    outcome: glance,
    unitFrom: isInPlace ? glance.unitAt - raw.from : 0,
    unitTo: isInPlace ? glance.unitEnd - raw.from : 0,
  });
}

/** Decodes the whole record and checks it, which tells why it is refused if it is. */
function takeSlowly({key, value}: LogRecord, taking: Taking, {codec, hasher, rows}: TakeContext): void {
  const decoded = codec.decode(value);
  const event = decoded.ok ? decoded.event : undefined;
  if (event?.kind === 'tick') {
    rows.pushTick(taking, hasher.payload(value));
    return;
  }
  const problem = event === undefined ? (decoded as Problem) : codec.check(event, taking);
  if (event === undefined || problem !== null) {
    const {logEpoch, partition, appendTs, arrivalTs, raw} = taking;
    const {code, message} = problem as Problem;
    const offset = BigInt(raw.offsetNumber);
    const letter = {logEpoch, partition, offset, lastOffset: offset, appendTs, arrivalTs, code, message, key, value: value.slice()};
    rows.pushDeadLetter(taking, hasher.payload(value), letter);
    return;
  }
  const {kind, eventTs} = event;
  rows.pushFact(taking, {kind, eventTs, idHash: hasher.id(event), outcome: kind === 'outcome' ? slicedOutcome(event) : NO_OUTCOME, unitFrom: 0, unitTo: 0});
}

const NO_OUTCOME = {variantHint: {}, hintPlace: NO_PLACE, measureNames: [], measureValues: [], status: 'ok', sampleRate: 1} as const;

type Problem = {readonly code: DeadLetterCode; readonly message: string};

/** Offsets are 64-bit; `Math.max` takes numbers only. */
const larger = (a: bigint, b: bigint): bigint => [a, b].reduce((max, offset) => (offset > max ? offset : max));
