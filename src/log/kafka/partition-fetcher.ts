import {createRequire} from 'node:module';
import type {Kafka} from 'kafkajs';
import type {Clock} from '../../core/clock.ts';
import {AssayError} from '../../core/errors.ts';
import type {LogRecord, ReadOptions} from '../event-log.ts';
import type {GapReporter} from '../gap.ts';
import {partitionMissing, topicMissing} from '../topic-spec.ts';
import {kafkaTypeOf, toAssayError} from './kafka-errors.ts';
import {KAFKA_LIMITS} from './kafka-options.ts';
import {toEvents} from './to-records.ts';

const RETRIES_MAX = 8;
const RETRY_MS = 250;
const READ_COMMITTED = 1;
const METADATA_AGE_MS_MAX = 300_000;

/**
 * Reads one partition without a group. kafkajs offers that only through a group
 * that has to be joined (seconds) and deleted afterwards; its cluster object,
 * which it keeps to itself, can fetch.
 */
export class PartitionFetcher {
  readonly #kafka: Kafka;
  /** By topic: kafkajs looks up all topics together that one was ever asked for, and finds none of them once one is deleted. */
  readonly #clusters = new Map<string, Cluster>();
  readonly #clock: Clock;
  readonly #onGap: GapReporter;
  readonly #waitMs: number;
  readonly #stopped = new AbortController();

  constructor(
    kafka: Kafka,
    options: {readonly clock: Clock; readonly onGap: GapReporter; readonly fetchWaitMs: number},
  ) {
    this.#kafka = kafka;
    this.#clock = options.clock;
    this.#onGap = options.onGap;
    this.#waitMs = options.fetchWaitMs;
  }

  async *read(options: ReadOptions): AsyncGenerator<readonly LogRecord[]> {
    const {topic, partition, toOffset, signal} = options;
    await this.#connect(topic, partition);
    let from = options.fromOffset;
    const isDone = (): boolean =>
      this.#stopped.signal.aborted ||
      signal?.aborted === true ||
      (toOffset !== undefined && from >= toOffset);
    while (!isDone()) {
      const batch = await this.#fetch({topic, partition, from});
      if (isDone()) return;
      if (batch === 'out of range') from = await this.#skipToStart({topic, partition, from});
      if (batch === undefined || batch === 'out of range') continue;
      for (const event of toEvents(partition, batch.messages, from)) {
        if (event.type === 'unreadable') {
          this.#onGap({topic, partition, expected: from, actual: event.lastOffset + 1n});
          from = event.lastOffset + 1n;
          continue;
        }
        const records =
          toOffset === undefined ? event.records : event.records.filter(record => record.offset < toOffset);
        from = (event.records.at(-1)?.offset ?? from) + 1n;
        if (records.length > 0) yield records;
      }
      const next = BigInt(batch.lastOffset()) + 1n;
      if (next > from) from = next;
    }
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await Promise.all([...this.#clusters.values()].map(cluster => cluster.disconnect()));
  }

  #clusterFor(topic: string): Cluster {
    const known = this.#clusters.get(topic);
    if (known !== undefined) return known;
    const cluster = clusterOf(this.#kafka);
    this.#clusters.set(topic, cluster);
    return cluster;
  }

  async #connect(topic: string, partition: number): Promise<void> {
    const cluster = this.#clusterFor(topic);
    try {
      await cluster.connect();
      await cluster.addTargetTopic(topic);
    } catch (error) {
      if (kafkaTypeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') throw topicMissing(topic);
      throw toAssayError(`cannot read topic ${topic}`, error);
    }
    const partitions = cluster.findTopicPartitionMetadata(topic);
    if (partitions.length === 0) throw topicMissing(topic);
    if (!partitions.some(known => known.partitionId === partition))
      throw partitionMissing(topic, partition, partitions.length);
  }

  /** One fetch, with retries while leaders move; undefined when there was nothing. */
  async #fetch(at: {
    topic: string;
    partition: number;
    from: bigint;
  }): Promise<FetchedBatch | 'out of range' | undefined> {
    const {topic, partition, from} = at;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#fetchOnce(at);
      } catch (error) {
        const what = `cannot read ${topic}[${partition}] at offset ${from}`;
        if (kafkaTypeOf(error) === 'OFFSET_OUT_OF_RANGE') return 'out of range';
        if (this.#stopped.signal.aborted) return undefined;
        if (attempt === RETRIES_MAX) throw toAssayError(what, error);
        await this.#clock.sleep(RETRY_MS * attempt, this.#stopped.signal);
        await this.#clusterFor(topic).refreshMetadata().catch(() => undefined);
      }
    }
  }

  /** Retention removed what was asked for: told, then read on from the first offset there is. Behind the end: waits. */
  async #skipToStart({
    topic,
    partition,
    from,
  }: {
    topic: string;
    partition: number;
    from: bigint;
  }): Promise<bigint> {
    const [found] = await this.#clusterFor(topic).fetchTopicsOffset([
      {topic, partitions: [{partition}], fromBeginning: true},
    ]);
    const start = BigInt(found?.partitions[0]?.offset ?? from);
    if (start > from) {
      this.#onGap({topic, partition, expected: from, actual: start});
      return start;
    }
    await this.#clock.sleep(this.#waitMs, this.#stopped.signal);
    return from;
  }

  async #fetchOnce({
    topic,
    partition,
    from,
  }: {
    topic: string;
    partition: number;
    from: bigint;
  }): Promise<FetchedBatch | undefined> {
    const cluster = this.#clusterFor(topic);
    const metadata = cluster
      .findTopicPartitionMetadata(topic)
      .find(known => known.partitionId === partition);
    const broker = await cluster.findBroker({nodeId: `${metadata?.leader}`});
    const {responses} = await broker.fetch({
      maxWaitTime: this.#waitMs,
      minBytes: 1,
      maxBytes: KAFKA_LIMITS.fetchBytesMax,
      isolationLevel: READ_COMMITTED,
      topics: [
        {
          topic,
          partitions: [{partition, fetchOffset: `${from}`, maxBytes: KAFKA_LIMITS.partitionFetchBytesMax}],
        },
      ],
    });
    const data = responses[0]?.partitions[0];
    if (data === undefined || data.messages.length === 0) return undefined;
    return new (libraryBatch())(topic, `${from}`, data);
  }
}

type Cluster = {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  findTopicPartitionMetadata(topic: string): {partitionId: number; leader: number}[];
  fetchTopicsOffset(topics: object[]): Promise<{partitions: {offset: string}[]}[]>;
  findBroker(options: {nodeId: string}): Promise<Broker>;
};
type Broker = {fetch(options: object): Promise<{responses: {partitions: PartitionData[]}[]}>};
type PartitionData = {messages: unknown[]};
type FetchedBatch = {messages: Parameters<typeof toEvents>[1]; lastOffset(): string};

/** Made as the client makes one for each consumer, so with its brokers, TLS, SASL and timeouts. */
function clusterOf(kafka: Kafka): Cluster {
  const key = Object.getOwnPropertySymbols(kafka).find(
    symbol => symbol.description === 'private:Kafka:createCluster',
  );
  const create: unknown = key === undefined ? undefined : Reflect.get(kafka, key);
  if (typeof create !== 'function')
    throw new AssayError('ASSAY_CONFIG_INVALID', 'kafkajs is not version 2.2.4: install the pinned one');
  return create({metadataMaxAge: METADATA_AGE_MS_MAX, allowAutoTopicCreation: false}) as Cluster;
}

/** Leaves out what kafkajs leaves out for its consumers: aborted and control records, and those below the offset. */
const require = createRequire(import.meta.url);
type BatchClass = new (topic: string, fetchedOffset: string, data: PartitionData) => FetchedBatch;
const libraryBatch = (): BatchClass => require('kafkajs/src/consumer/batch.js') as BatchClass;
