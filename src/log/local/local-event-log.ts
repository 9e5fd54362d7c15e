import {assert} from '../../core/assert.ts';
import type {Clock} from '../../core/clock.ts';
import {AssayError} from '../../core/errors.ts';
import {type Logger, type Metrics, NO_METRICS, SILENT_LOGGER} from '../../core/telemetry.ts';
import type {
  AppendedRecord,
  ConsumerOptions,
  EventLog,
  LogConsumer,
  LogRecord,
  NewRecord,
  PartitionOffsets,
  ReadOptions,
  TopicInfo,
  TopicSpec,
} from '../event-log.ts';
import {type GapReporter, gapReporter} from '../gap.ts';
import {partitionOf} from '../partitioner.ts';
import {checkSameTopic, checkTopicSpec, partitionMissing, topicMissing} from '../topic-spec.ts';
import {ConsumerGroups} from './consumer-groups.ts';
import {LocalConsumer} from './local-consumer.ts';
import type {LogStore, StoredRecord, StoredTopic} from './log-store.ts';
import {Wakeup} from './wakeup.ts';

/** What one step of `read` asks for. */
const READ_RECORDS_MAX = 1_000;
const READ_BYTES_MAX = 1024 * 1024;

type ReadStep = {readonly records: readonly LogRecord[]; readonly next: bigint};

export type LocalEventLogOptions = {
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
};

/** An {@link EventLog} inside one process, over any {@link LogStore}. */
export class LocalEventLog implements EventLog {
  readonly #store: LogStore;
  readonly #clock: Clock;
  readonly #groups: ConsumerGroups;
  readonly #onGap: GapReporter;
  readonly #tails = new Map<string, Wakeup>();
  #isClosed = false;

  constructor(store: LogStore, options: LocalEventLogOptions) {
    this.#store = store;
    this.#clock = options.clock;
    this.#onGap = gapReporter(options.logger ?? SILENT_LOGGER, options.metrics ?? NO_METRICS);
    this.#groups = new ConsumerGroups(store, this.#onGap);
  }

  async createTopic(spec: TopicSpec): Promise<void> {
    this.#checkOpen();
    checkTopicSpec(spec);
    const existing = this.#find(spec.topic);
    if (existing === undefined) await this.#store.createTopic({...spec, logEpoch: 1});
    else checkSameTopic(existing, spec);
  }

  /** Throws the topic's records and commits away and starts a new one with the next log epoch. */
  async recreateTopic(spec: TopicSpec): Promise<void> {
    this.#checkOpen();
    checkTopicSpec(spec);
    const topic = {...spec, logEpoch: (this.#find(spec.topic)?.logEpoch ?? 0) + 1};
    await this.#store.createTopic(topic);
    for (const group of this.#groups.groupsOf(spec.topic)) this.#groups.rebalance(topic, group);
    this.#wake(spec.topic);
  }

  describeTopic(topic: string): Promise<TopicInfo | undefined> {
    const found = this.#find(topic);
    if (found === undefined) return Promise.resolve(undefined);
    const {partitions, clock, logEpoch} = found;
    return Promise.resolve({topic, partitions, clock, logEpoch});
  }

  listTopics(): Promise<string[]> {
    return Promise.resolve(
      this.#store
        .topics()
        .map(topic => topic.topic)
        .sort(),
    );
  }

  async append(topic: string, records: readonly NewRecord[]): Promise<AppendedRecord[]> {
    this.#checkOpen();
    const {partitions, clock} = this.#get(topic);
    const now = this.#clock.now();
    const byPartition = new Map<number, StoredRecord[]>();
    const places = records.map(record => {
      const partition = this.#partitionFor(topic, record, partitions);
      const part = byPartition.get(partition);
      const stored: StoredRecord = {
        timestamp: clock === 'log' ? now : (record.timestamp ?? now),
        key: record.key,
        value: record.value,
        headers: record.headers ?? {},
      };
      if (part === undefined) byPartition.set(partition, [stored]);
      else part.push(stored);
      return {partition, index: part === undefined ? 0 : part.length - 1};
    });
    if (places.length === 0) return [];
    const parts = [...byPartition].map(([partition, stored]) => ({partition, records: stored}));
    // Wakes readers also when it fails: the records may be there and only the answer lost.
    const bases = await this.#store.append(topic, parts).finally(() => this.#wake(topic));
    const baseOf = new Map(parts.map((part, i) => [part.partition, bases[i] ?? 0n]));
    return places.map(({partition, index}) => ({
      partition,
      offset: (baseOf.get(partition) ?? 0n) + BigInt(index),
    }));
  }

  async openConsumer(options: ConsumerOptions): Promise<LogConsumer> {
    this.#checkOpen();
    assert(options.batchRecordsMax > 0, 'batchRecordsMax is positive');
    const topic = this.#get(options.topic);
    const consumer = new LocalConsumer({
      options,
      store: this.#store,
      clock: this.#clock,
      onGap: this.#onGap,
      onClose: closed => this.#groups.leave(this.#find(options.topic) ?? topic, options.group, closed),
    });
    this.#groups.join(topic, options.group, consumer);
    return consumer;
  }

  async *read(options: ReadOptions): AsyncGenerator<readonly LogRecord[]> {
    const {topic, partition, toOffset, signal} = options;
    this.#checkPartition(topic, partition);
    const tail = this.#tail(topic);
    const onAbort = (): void => tail.signal();
    signal?.addEventListener('abort', onAbort);
    const isDone = (next: bigint): boolean =>
      this.#isClosed || signal?.aborted === true || (toOffset !== undefined && next >= toOffset);
    try {
      let from = options.fromOffset;
      while (!isDone(from)) {
        const seen = tail.version;
        const step = await this.#readStep(options, from);
        if (step === undefined) await tail.wait(seen);
        else from = step.next;
        if (step !== undefined && step.records.length > 0 && signal?.aborted !== true) yield step.records;
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async offsets(topic: string): Promise<PartitionOffsets[]> {
    const {partitions} = this.#get(topic);
    return Array.from({length: partitions}, (_, partition) => ({
      partition,
      start: this.#store.start(topic, partition),
      end: this.#store.end(topic, partition),
    }));
  }

  async committed(topic: string, group: string): Promise<(bigint | null)[]> {
    const {partitions} = this.#get(topic);
    const committed = this.#store.committed(topic, group);
    return Array.from({length: partitions}, (_, partition) => committed.get(partition) ?? null);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#groups.close();
    for (const tail of this.#tails.values()) tail.signal();
    await this.#store.close();
  }

  /** Takes all partitions from the group's members and deals them out again. */
  rebalance(topic: string, group: string): void {
    this.#groups.rebalance(this.#get(topic), group);
  }

  /** Kills the group's members: their `next` rejects with ASSAY_LOG_FENCED. */
  fence(topic: string, group: string): void {
    this.#groups.fence(this.#get(topic), group);
  }

  /** Tells sleeping readers of the topic to look again. */
  protected wakeReaders(topic: string): void {
    this.#wake(topic);
  }

  /** undefined: nothing is there yet. */
  async #readStep(options: ReadOptions, from: bigint): Promise<ReadStep | undefined> {
    const {topic, partition, toOffset} = options;
    const start = this.#store.start(topic, partition);
    if (from < start) {
      this.#onGap({topic, partition, expected: from, actual: start});
      return {records: [], next: start};
    }
    if (from >= this.#store.end(topic, partition)) return undefined;
    const left = toOffset === undefined ? READ_RECORDS_MAX : Number(toOffset - from);
    const recordsMax = Math.min(READ_RECORDS_MAX, left);
    const chunk = await this.#store.read({topic, partition, from, recordsMax, bytesMax: READ_BYTES_MAX});
    if (chunk === undefined) return undefined;
    if (chunk.type === 'records') return {records: chunk.records, next: from + BigInt(chunk.records.length)};
    const next = chunk.lastOffset + 1n;
    this.#onGap({topic, partition, expected: from, actual: next});
    return {records: [], next};
  }

  #partitionFor(topic: string, record: NewRecord, partitions: number): number {
    if (record.partition === undefined) {
      assert(record.key !== null, 'a record without a key names its partition');
      return partitionOf(record.key, partitions);
    }
    if (record.partition < 0 || record.partition >= partitions) {
      throw partitionMissing(topic, record.partition, partitions);
    }
    return record.partition;
  }

  #find(topic: string): StoredTopic | undefined {
    return this.#store.topic(topic);
  }

  #get(topic: string): StoredTopic {
    const found = this.#find(topic);
    if (found === undefined) throw topicMissing(topic);
    return found;
  }

  #checkPartition(topic: string, partition: number): void {
    const {partitions} = this.#get(topic);
    if (partition < 0 || partition >= partitions) throw partitionMissing(topic, partition, partitions);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new AssayError('ASSAY_LOG_UNAVAILABLE', 'the log is closed');
  }

  #tail(topic: string): Wakeup {
    const existing = this.#tails.get(topic);
    if (existing !== undefined) return existing;
    const made = new Wakeup();
    this.#tails.set(topic, made);
    return made;
  }

  #wake(topic: string): void {
    this.#groups.wake(topic);
    this.#tails.get(topic)?.signal();
  }
}
