import {assert} from '../core/assert.ts';
import {LIMITS} from '../core/limits.ts';
import type {Stream} from '../core/streams.ts';
import type {EpochMs} from '../core/units.ts';
import type {ConsumerEvent} from '../log/event-log.ts';
import type {DecodedBatch} from './decode-batch.ts';
import {DuplicateHints} from './duplicate-hints.ts';
import type {EventCodec} from './event-codec.ts';
import {type PartitionCursor, startCursor} from './partition-cursor.ts';
import {PendingRows} from './pending-rows.ts';
import {type KeyBudget, ProvisionalSlices} from './provisional-slices.ts';
import type {RecordHasher} from './record-hasher.ts';

export type RecordsEvent = Extract<ConsumerEvent, {type: 'batch' | 'unreadable'}>;

/** What a flush takes from one partition: rows, and the cursor behind the last of them. */
export type FlushPart = {readonly work: PartitionWork; readonly rows: PendingRows; readonly cursor: PartitionCursor};

const SPARES_MAX = 2;

/**
 * One assignment of one partition to this worker, from `assigned` to `revoked`.
 *
 *     seeding ──arrivalHigh known──► reading ──revoked──► (dropped)
 *        └─ records wait in the stash      └─ rows wait in `pending` for a flush
 *
 * Nothing in here outlives the assignment: a new owner reads again from the
 * committed offset and comes to the same rows.
 */
export class PartitionWork {
  readonly logEpoch: number;
  readonly partition: number;
  readonly startOffset: bigint;
  readonly slices: ProvisionalSlices;
  readonly hints: DuplicateHints;
  /** Records that came before the running maximum was known; few, as the partition is paused. */
  readonly stash: RecordsEvent[] = [];
  /** The open slices of before are in `slices`: they may be shown. */
  isRebuilt = false;
  isRevoked = false;
  /** Everything below is acknowledged by the warehouse. */
  durableOffset: bigint;
  committedOffset: bigint;
  /** When a record or a tick of ours last passed. */
  lastActiveAt: EpochMs;
  #cursor: PartitionCursor | undefined;
  readonly #reading: {readonly codec: EventCodec; readonly hasher: RecordHasher};
  #pending: PendingRows;
  /** Of flushes that are over; as many as are under way at once. */
  readonly #spares: PendingRows[] = [];
  #pendingSince: EpochMs | undefined;

  constructor(
    start: {readonly logEpoch: number; readonly partition: number; readonly startOffset: bigint},
    options: {
      readonly stream: Stream;
      readonly codec: EventCodec;
      readonly hasher: RecordHasher;
      readonly keyBudget: KeyBudget;
      readonly now: EpochMs;
      readonly shareOf: number;
    },
  ) {
    this.logEpoch = start.logEpoch;
    this.partition = start.partition;
    this.startOffset = start.startOffset;
    this.durableOffset = start.startOffset;
    this.committedOffset = start.startOffset;
    this.lastActiveAt = options.now;
    this.slices = new ProvisionalSlices(options.stream.sliceMs, options.keyBudget);
    this.hints = new DuplicateHints(LIMITS.duplicateHintsMax / options.shareOf);
    this.#reading = {codec: options.codec, hasher: options.hasher};
    this.#pending = new PendingRows(this, this.#reading);
  }

  /** undefined while seeding. */
  get cursor(): PartitionCursor | undefined {
    return this.#cursor;
  }

  get pendingRows(): number {
    return this.#pending.length;
  }

  get pendingBytes(): number {
    return this.#pending.bytes;
  }

  get pendingSince(): EpochMs | undefined {
    return this.#pendingSince;
  }

  /** Ends seeding. */
  start(arrivalHigh: EpochMs | null): PartitionCursor {
    this.#cursor = startCursor(this, arrivalHigh);
    return this.#cursor;
  }

  /** Takes records: `decode` adds their rows to those that wait, and says where the cursor stands then. */
  take(decode: (start: PartitionCursor, rows: PendingRows) => DecodedBatch, now: EpochMs): DecodedBatch {
    assert(this.#cursor !== undefined, 'a partition is read only after it was seeded');
    const batch = decode(this.#cursor, this.#pending);
    this.#cursor = batch.cursor;
    this.lastActiveAt = now;
    if (this.#pending.length > 0) this.#pendingSince ??= now;
    return batch;
  }

  /** Hands the pending rows over; undefined when there are none. */
  takePending(): FlushPart | undefined {
    if (this.#cursor === undefined || this.#pending.length === 0) return undefined;
    const part = {work: this, rows: this.#pending, cursor: this.#cursor};
    this.#pending = this.#spares.pop() ?? new PendingRows(this, this.#reading, part.rows);
    this.#pendingSince = undefined;
    return part;
  }

  /** Takes back the rows of a flush that is over. */
  recycle(rows: PendingRows): void {
    if (this.isRevoked || !rows.isWorthKeeping || this.#spares.length >= SPARES_MAX) return;
    rows.reset();
    this.#spares.push(rows);
  }

  revoke(): void {
    this.isRevoked = true;
    this.#pending = new PendingRows(this, this.#reading);
    this.#pendingSince = undefined;
    this.#spares.length = 0;
    this.stash.length = 0;
    this.slices.clear();
  }
}
