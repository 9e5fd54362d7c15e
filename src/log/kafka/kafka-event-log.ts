import kafkajs, {type Admin, type Kafka} from 'kafkajs';
import {assert} from '../../core/assert.ts';
import {AssayError} from '../../core/errors.ts';
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
import {partitionMissing, topicMissing} from '../topic-spec.ts';
import {Admins} from './admin-source.ts';
import {AppendLane, type PlacedRecord} from './append-lane.ts';
import {makeKafka} from './kafka-client.ts';
import {KafkaConsumer} from './kafka-consumer.ts';
import {bounded, toAssayError} from './kafka-errors.ts';
import {KAFKA_LIMITS, type KafkaEventLogOptions} from './kafka-options.ts';
import {KafkaTopics} from './kafka-topics.ts';
import {PartitionFetcher} from './partition-fetcher.ts';

export type {KafkaEventLogOptions} from './kafka-options.ts';

const COMPRESSION = {none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4} as const;

/** Connects to a cluster. @throws ASSAY_LOG_UNAVAILABLE within about ten seconds when none is in reach */
export async function openKafkaEventLog(options: KafkaEventLogOptions): Promise<EventLog> {
  const {brokers, clock} = options;
  if (brokers.length === 0)
    throw new AssayError('ASSAY_CONFIG_INVALID', 'kafka.brokers is empty: give at least one host:port');
  const kafka = makeKafka(options);
  const openAdmin = async (): Promise<Admin> => {
    const admin = kafka.admin({retry: {retries: 2, initialRetryTime: 200, maxRetryTime: 1_000}});
    try {
      await bounded(`cannot reach Kafka at ${brokers.join(', ')}`, () => admin.connect(), {clock, ms: KAFKA_LIMITS.openTimeoutMs});
      return admin;
    } catch (error) {
      admin.disconnect().catch(() => undefined);
      throw error;
    }
  };
  return new KafkaEventLog(options, kafka, new Admins(await openAdmin(), openAdmin));
}

/** An {@link EventLog} on Apache Kafka through kafkajs. */
class KafkaEventLog implements EventLog {
  readonly #options: KafkaEventLogOptions;
  readonly #kafka: Kafka;
  readonly #admins: Admins;
  readonly #onGap: GapReporter;
  readonly #fetcher: PartitionFetcher;
  readonly #topics: KafkaTopics;
  readonly #lanes = new Map<string, AppendLane>();
  readonly #consumers = new Set<KafkaConsumer>();
  readonly #metaProducer;
  #isClosed = false;

  constructor(options: KafkaEventLogOptions, kafka: Kafka, admins: Admins) {
    const {clock, logger, metrics} = options;
    this.#options = options;
    this.#kafka = kafka;
    this.#admins = admins;
    this.#onGap = gapReporter(logger, metrics);
    const fetchWaitMs = options.fetchWaitMs ?? KAFKA_LIMITS.fetchWaitMs;
    this.#fetcher = new PartitionFetcher(kafka, {clock, onGap: this.#onGap, fetchWaitMs});
    this.#metaProducer = kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    this.#topics = new KafkaTopics({
      clock: options.clock,
      admin: admins,
      producer: this.#metaProducer,
      fetcher: this.#fetcher,
      replication: options.replication ?? -1,
    });
  }

  createTopic(spec: TopicSpec): Promise<void> {
    return this.#ask(`cannot create topic ${spec.topic}`, async () => {
      await this.#metaProducer.connect();
      await this.#topics.create(spec);
    });
  }

  describeTopic(topic: string): Promise<TopicInfo | undefined> {
    return this.#ask(`cannot describe topic ${topic}`, () => this.#topics.describe(topic));
  }

  listTopics(): Promise<string[]> {
    return this.#ask('cannot list topics', () => this.#topics.list());
  }

  async append(topic: string, records: readonly NewRecord[]): Promise<AppendedRecord[]> {
    // Copied before anything is waited for.
    const copies = records.map(record => ({...record, value: Uint8Array.from(record.value)}));
    const {partitions} = await this.#ask(`cannot append to topic ${topic}`, () => this.#topics.get(topic));
    if (copies.length === 0) return [];
    const placed = copies.map(
      (record): PlacedRecord => ({...record, partition: partitionFor(topic, record, partitions)}),
    );
    return this.#lane(topic).append(placed);
  }

  async openConsumer(options: ConsumerOptions): Promise<LogConsumer> {
    assert(options.batchRecordsMax > 0, 'batchRecordsMax is positive');
    const {topic, group} = options;
    const what = `cannot read topic ${topic} in group ${group}`;
    await this.#ask(what, async () => {
      this.#topics.forget(topic);
      await this.#topics.get(topic);
    });
    const {clock} = this.#options;
    const consumer: KafkaConsumer = new KafkaConsumer({
      consumer: this.#makeConsumer(options, error => consumer.shouldRestart(error)),
      options,
      clock,
      onGap: this.#onGap,
      loadOffsets: async () => {
        // kafkajs itself overwrites a commit that lies outside the log, so it is read at once; offsets
        // after the epoch, so that those of a newer topic show in the next confirm.
        const [info, commits] = await Promise.all([
          this.#ask(what, () => this.#topics.describe(topic)),
          this.#ask(what, () => this.#topics.commits(topic, group)),
        ]);
        if (info === undefined) throw topicMissing(topic);
        return {mark: info.mark, logEpoch: info.logEpoch, commits, offsets: await this.offsets(topic)};
      },
      loadMark: () => bounded(`cannot confirm topic ${topic}`, () => this.#topics.mark(topic), {clock, ms: KAFKA_LIMITS.confirmTimeoutMs}),
      loadEnds: () => this.offsets(topic),
      onClose: () => this.#consumers.delete(consumer),
    });
    this.#consumers.add(consumer);
    try {
      await bounded(what, () => consumer.start(), {clock, ms: KAFKA_LIMITS.openTimeoutMs});
    } catch (error) {
      await consumer.close();
      throw error;
    }
    return consumer;
  }

  read(options: ReadOptions): AsyncIterable<readonly LogRecord[]> {
    return this.#fetcher.read(options);
  }

  offsets(topic: string): Promise<PartitionOffsets[]> {
    return this.#ask(`cannot read the offsets of topic ${topic}`, () => this.#topics.offsets(topic));
  }

  committed(topic: string, group: string): Promise<(bigint | null)[]> {
    return this.#ask(`cannot read the commits of group ${group}`, () => this.#topics.committed(topic, group));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([...this.#consumers].map(consumer => consumer.close()));
    await Promise.all([...this.#lanes.values()].map(lane => lane.close()));
    const limit = {clock: this.#options.clock, ms: KAFKA_LIMITS.closeTimeoutMs};
    const goodbyes = [this.#fetcher.close(), this.#metaProducer.disconnect(), this.#admins.disconnect()];
    await bounded('cannot disconnect', () => Promise.allSettled(goodbyes), limit).catch(() => undefined);
  }

  /** A client of its own for each consumer; see `makeKafka`. */
  #makeConsumer({group, bufferBytesMax}: ConsumerOptions, shouldRestart: (error: Error) => boolean) {
    const sessionTimeout = this.#options.sessionTimeoutMs ?? KAFKA_LIMITS.sessionTimeoutMs;
    return makeKafka(this.#options).consumer({
      groupId: group,
      sessionTimeout,
      heartbeatInterval: Math.floor(sessionTimeout / 3),
      rebalanceTimeout: KAFKA_LIMITS.rebalanceTimeoutMs,
      maxWaitTimeInMs: this.#options.fetchWaitMs ?? KAFKA_LIMITS.fetchWaitMs,
      minBytes: 1,
      maxBytes: Math.min(KAFKA_LIMITS.fetchBytesMax, Math.max(bufferBytesMax, 64 * 1024)),
      maxBytesPerPartition: KAFKA_LIMITS.partitionFetchBytesMax,
      maxInFlightRequests: 1,
      metadataMaxAge: KAFKA_LIMITS.metadataAgeMsMax,
      allowAutoTopicCreation: false,
      // A dead consumer is rebuilt by its supervisor, which counts; kafkajs by itself would go on for ever.
      retry: {
        retries: 6,
        initialRetryTime: 200,
        maxRetryTime: 3_000,
        restartOnFailure: error => Promise.resolve(shouldRestart(error)),
      },
    });
  }

  #lane(topic: string): AppendLane {
    const {clock, compression = 'none', requestTimeoutMs = KAFKA_LIMITS.requestTimeoutMs} = this.#options;
    let lane = this.#lanes.get(topic);
    if (lane === undefined) {
      lane = new AppendLane({
        kafka: this.#kafka,
        topic,
        compression: COMPRESSION[compression],
        clock,
        requestTimeoutMs,
      });
      this.#lanes.set(topic, lane);
    }
    return lane;
  }

  async #ask<T>(what: string, run: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new AssayError('ASSAY_LOG_UNAVAILABLE', `${what}: the log is closed`);
    const {clock, brokers, requestTimeoutMs: ms = KAFKA_LIMITS.requestTimeoutMs} = this.#options;
    try {
      return await bounded(`${what} at ${brokers.join(', ')}`, run, {clock, ms});
    } catch (error) {
      throw toAssayError(what, error);
    }
  }
}

function partitionFor(topic: string, {partition, key}: NewRecord, partitions: number): number {
  if (partition === undefined) {
    assert(key !== null, 'a record without a key names its partition');
    return partitionOf(key, partitions);
  }
  if (partition < 0 || partition >= partitions) throw partitionMissing(topic, partition, partitions);
  return partition;
}
