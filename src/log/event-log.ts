import type {EpochMs} from '../core/units.ts';

/**
 * The port to a partitioned, append-only, durable log.
 *
 * Adapters: `memory/` (simulation and tests), `embedded/` (files on disk, one
 * machine) and `kafka/` (cluster). Every adapter passes
 * `test/contract/event-log.contract.ts`; a guarantee that is not tested there
 * is not part of this port.
 *
 * Order: records of one key lie in one partition (Kafka's murmur2 partitioner in
 * every adapter), in the order they were appended. Delivery is at-least-once:
 * after a restart a group reads again from its committed offset.
 *
 * Errors: `ASSAY_LOG_UNAVAILABLE` (retry), `ASSAY_LOG_FENCED` (retry: rebuild the
 * consumer), `ASSAY_LOG_TOPIC_MISSING` (input), `ASSAY_LOG_CORRUPT` (fatal).
 */
export interface EventLog {
  /** Creates the topic, or resolves when it exists with the same number of partitions and clock. */
  createTopic(spec: TopicSpec): Promise<void>;
  /** undefined when there is no such topic. */
  describeTopic(topic: string): Promise<TopicInfo | undefined>;
  listTopics(): Promise<string[]>;
  /**
   * Resolves, with the positions in the order given, once every record is durable
   * (acks=all; fsync). All or nothing per partition. Keys and values are copied.
   */
  append(topic: string, records: readonly NewRecord[]): Promise<AppendedRecord[]>;
  /** Joins a consumer group. One consumer object is read by one loop. */
  openConsumer(options: ConsumerOptions): Promise<LogConsumer>;
  /**
   * Reads one partition without a group, from `fromOffset` up to (not including)
   * `toOffset`, or for ever (tailing) when that is left out, until the signal aborts.
   * Offsets the log no longer has, or cannot read, are passed over, logged and counted.
   */
  read(options: ReadOptions): AsyncIterable<readonly LogRecord[]>;
  /** First retained and next offset per partition, in partition order. */
  offsets(topic: string): Promise<PartitionOffsets[]>;
  /** Committed offset (the next to read) per partition, in partition order; null where none. */
  committed(topic: string, group: string): Promise<(bigint | null)[]>;
  close(): Promise<void>;
}

export type TopicSpec = {
  readonly topic: string;
  readonly partitions: number;
  /** `log`: the log stamps each record when it takes it. `producer`: the record's own timestamp is kept. */
  readonly clock: 'log' | 'producer';
  /** null keeps records for ever. */
  readonly retentionMs: number | null;
};

export type TopicInfo = {
  readonly topic: string;
  readonly partitions: number;
  readonly clock: 'log' | 'producer';
  /** Rises when a topic of this name is created again. */
  readonly logEpoch: number;
};

export type NewRecord = {
  /** null: the partition must be given. */
  readonly key: string | null;
  readonly value: Uint8Array;
  /** Overrides the partitioner; ticks use it. */
  readonly partition?: number;
  /** Kept only on topics with clock = producer. */
  readonly timestamp?: EpochMs;
  readonly headers?: Readonly<Record<string, string>>;
};

export type AppendedRecord = {readonly partition: number; readonly offset: bigint};

export type LogRecord = {
  readonly partition: number;
  readonly offset: bigint;
  /** append_ts: by the topic's clock. */
  readonly timestamp: EpochMs;
  readonly key: string | null;
  /** Valid until the consumer's next event is asked for; copy what you keep. */
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** The same for loops that make nothing per record; left out where the adapter has nothing cheaper. */
  readonly raw?: RawRecord;
};

/** Offset and value of a record without a bigint and without a view: the value is `from` up to `to` of `bytes`. */
export type RawRecord = {
  readonly offsetNumber: number;
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
  /** Of bytes that lie among others': who keeps the record copies them. */
  readonly isShared?: boolean;
};

export type PartitionOffsets = {readonly partition: number; readonly start: bigint; readonly end: bigint};

export type ReadOptions = {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: bigint;
  readonly toOffset?: bigint;
  readonly signal?: AbortSignal;
};

export type ConsumerOptions = {
  readonly topic: string;
  readonly group: string;
  readonly batchRecordsMax: number;
  /** Bytes of values held between the log and the loop; beyond it fetching stops. */
  readonly bufferBytesMax: number;
};

/**
 * A member of a consumer group, pulled by one loop:
 *
 *     assigned(p…) ─► batch* ─► revoked(p…) ─► assigned(p…) ─► …
 *
 * After `revoked` no batch of the earlier assignment is delivered any more and a
 * commit for it is refused (`ASSAY_LOG_FENCED`). Within one partition batches come
 * in offset order, each record once per assignment, starting at the committed
 * offset (the first retained one where none is committed). Records that lie in
 * the log but cannot be read (a codec is missing, a batch unpacks beyond the
 * limit) arrive as an `unreadable` range: nothing is skipped silently.
 *
 * `assigned` names the whole assignment; a member beyond the number of partitions
 * gets an empty one. A commit is refused from the moment the group reassigns, also
 * before the loop has pulled `revoked`. A consumer that the group threw out or
 * whose client gave up is dead: `next` rejects with ASSAY_LOG_FENCED; close it and
 * open another.
 */
export interface LogConsumer {
  /** The next event; undefined after close() or when `timeoutMs` passed without one. */
  next(timeoutMs: number): Promise<ConsumerEvent | undefined>;
  /**
   * Resolves when the topic still is of this log epoch: so is everything handed over under it so
   * far. Rejects with ASSAY_LOG_FENCED when it was made again meanwhile, after which offsets mean
   * other records; ask before rows become durable under their offsets. A log that does not answer
   * rejects nothing.
   */
  confirm(logEpoch: number): Promise<void>;
  /** Moves the group's offset of these partitions: everything below is processed. Rejects with ASSAY_LOG_FENCED for a partition that is not assigned any more. */
  commit(offsets: readonly {readonly partition: number; readonly offset: bigint}[]): Promise<void>;
  /** Stops fetching; batches already handed over stay handed over, buffered ones may still come. */
  pause(partitions: readonly number[]): void;
  resume(partitions: readonly number[]): void;
  /** Log end offsets of the assigned partitions as last seen, for lag. */
  endOffsets(): ReadonlyMap<number, bigint>;
  /** Leaves the group. Idempotent. */
  close(): Promise<void>;
}

export type ConsumerEvent =
  | {
      readonly type: 'assigned';
      readonly logEpoch: number;
      readonly partitions: readonly {readonly partition: number; readonly startOffset: bigint}[];
    }
  | {readonly type: 'revoked'; readonly partitions: readonly number[]}
  | {readonly type: 'batch'; readonly partition: number; readonly records: readonly LogRecord[]}
  | {
      readonly type: 'unreadable';
      readonly partition: number;
      readonly firstOffset: bigint;
      readonly lastOffset: bigint;
      readonly timestamp: EpochMs;
      readonly reason: string;
    };
