import type {EpochMs} from '../../core/units.ts';
import type {LogRecord, TopicSpec} from '../event-log.ts';

/**
 * Where a log inside one process keeps its records. `LocalEventLog` adds
 * partitioning, consumer groups and waiting; a store adds only storage.
 *
 * Reads see a record only when its append has resolved; offsets are dense.
 */
export interface LogStore {
  topics(): readonly StoredTopic[];
  topic(name: string): StoredTopic | undefined;
  /** Creates the topic; an older one of that name vanishes with its records and commits. */
  createTopic(topic: StoredTopic): Promise<void>;
  /** Base offset of each part, in order, once all are durable. Copies what it is given before it returns. */
  append(topic: string, parts: readonly PartitionAppend[]): Promise<bigint[]>;
  /** What lies at `from` and after it, at least one record; undefined at the end. `from` is not below the start. */
  read(options: StoreRead): Promise<StoredChunk | undefined>;
  start(topic: string, partition: number): bigint;
  end(topic: string, partition: number): bigint;
  /** Resolves when durable. Later calls win. */
  commit(options: StoreCommit): Promise<void>;
  committed(topic: string, group: string): ReadonlyMap<number, bigint>;
  close(): Promise<void>;
}

export type StoredTopic = TopicSpec & {readonly logEpoch: number};

export type StoredRecord = {
  readonly timestamp: EpochMs;
  readonly key: string | null;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
};

export type PartitionAppend = {readonly partition: number; readonly records: readonly StoredRecord[]};

export type StoreRead = {
  readonly topic: string;
  readonly partition: number;
  readonly from: bigint;
  readonly recordsMax: number;
  /** Of values; the first record comes whatever its size. */
  readonly bytesMax: number;
};

export type StoreCommit = {
  readonly topic: string;
  readonly group: string;
  readonly offsets: readonly {readonly partition: number; readonly offset: bigint}[];
};

export type StoredChunk =
  | {readonly type: 'records'; readonly records: readonly LogRecord[]}
  | {
      readonly type: 'unreadable';
      readonly firstOffset: bigint;
      readonly lastOffset: bigint;
      readonly timestamp: EpochMs;
      readonly reason: string;
    };
