import kafkajs, {type Admin, type Producer} from 'kafkajs';
import type {PartitionOffsets, TopicInfo, TopicSpec} from '../event-log.ts';
import {checkSameTopic, checkTopicSpec, topicMissing} from '../topic-spec.ts';
import {kafkaTypeOf} from './kafka-errors.ts';
import type {PartitionFetcher} from './partition-fetcher.ts';
import {epochOfMark, MARK_CONFIG, markOf, newestEpoch, writeEpoch} from './topic-epochs.ts';

const LONG_MAX = '9223372036854775807';
const TIMESTAMP_TYPE = {log: 'LogAppendTime', producer: 'CreateTime'} as const;

export type KafkaTopicsParts = {
  readonly admin: Admin;
  readonly producer: Producer;
  readonly fetcher: PartitionFetcher;
  /** −1: the brokers' default. */
  readonly replication: number;
};

/** Topics of a cluster, by the admin client. Throws what kafkajs throws; the log translates. */
export class KafkaTopics {
  readonly #parts: KafkaTopicsParts;
  /** Facts of a topic that hold as long as it lives. Dropped when it is created. */
  readonly #known = new Map<string, TopicInfo>();
  #creating: Promise<void> = Promise.resolve();

  constructor(parts: KafkaTopicsParts) {
    this.#parts = parts;
  }

  /** One at a time: the producer does not find the epochs topic while another creation is still making it. */
  create(spec: TopicSpec): Promise<void> {
    const created = this.#creating.then(() => this.#create(spec));
    this.#creating = created.catch(() => undefined);
    return created;
  }

  async #create(spec: TopicSpec): Promise<void> {
    checkTopicSpec(spec);
    const existing = await this.describe(spec.topic);
    if (existing !== undefined) return checkSameTopic(existing, spec);
    const {admin} = this.#parts;
    const epoch = (await newestEpoch(spec.topic, this.#parts)) + 1;
    // Written down first: a number is rather left out than used twice.
    await writeEpoch(spec.topic, epoch, this.#parts);
    await admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic: spec.topic,
          numPartitions: spec.partitions,
          replicationFactor: this.#parts.replication,
          configEntries: configOf(spec, epoch),
        },
      ],
    });
    // Another process may have been faster, with another number of partitions.
    const created = await this.describe(spec.topic);
    if (created !== undefined) checkSameTopic(created, spec);
  }

  async describe(topic: string): Promise<TopicInfo | undefined> {
    const {admin} = this.#parts;
    const topics = await admin.listTopics();
    if (!topics.includes(topic)) {
      this.#known.delete(topic);
      return undefined;
    }
    const [metadata, configs] = await Promise.all([
      admin.fetchTopicMetadata({topics: [topic]}),
      admin.describeConfigs({
        includeSynonyms: false,
        resources: [
          {
            type: kafkajs.ConfigResourceTypes.TOPIC,
            name: topic,
            configNames: ['message.timestamp.type', MARK_CONFIG],
          },
        ],
      }),
    ]);
    const config = new Map(
      configs.resources[0]?.configEntries.map(entry => [entry.configName, entry.configValue]),
    );
    const info: TopicInfo = {
      topic,
      partitions: metadata.topics[0]?.partitions.length ?? 0,
      clock: config.get('message.timestamp.type') === TIMESTAMP_TYPE.log ? 'log' : 'producer',
      logEpoch: epochOfMark(config.get(MARK_CONFIG)) ?? (await newestEpoch(topic, this.#parts)) + 1,
    };
    this.#known.set(topic, info);
    return info;
  }

  /** What was known when the topic was last described. @throws ASSAY_LOG_TOPIC_MISSING */
  async get(topic: string): Promise<TopicInfo> {
    const info = this.#known.get(topic) ?? (await this.describe(topic));
    if (info === undefined) throw topicMissing(topic);
    return info;
  }

  forget(topic: string): void {
    this.#known.delete(topic);
  }

  async list(): Promise<string[]> {
    const topics = await this.#parts.admin.listTopics();
    return topics.filter(topic => !topic.startsWith('__')).sort();
  }

  async offsets(topic: string): Promise<PartitionOffsets[]> {
    const offsets = await this.#offsetsOf(topic);
    return offsets
      .map(({partition, low, high}) => ({partition, start: BigInt(low), end: BigInt(high)}))
      .sort((a, b) => a.partition - b.partition);
  }

  async committed(topic: string, group: string): Promise<(bigint | null)[]> {
    const {partitions} = await this.get(topic);
    const [found] = await this.#parts.admin.fetchOffsets({groupId: group, topics: [topic]});
    const offsets = new Map(found?.partitions.map(({partition, offset}) => [partition, BigInt(offset)]));
    return Array.from({length: partitions}, (_, partition) => {
      const offset = offsets.get(partition) ?? -1n;
      return offset < 0n ? null : offset;
    });
  }

  async #offsetsOf(topic: string): Promise<{partition: number; low: string; high: string}[]> {
    try {
      return await this.#parts.admin.fetchTopicOffsets(topic);
    } catch (error) {
      if (kafkaTypeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') throw topicMissing(topic);
      // Seen right after a leader moved or partitions were added.
      if (kafkaTypeOf(error) !== 'NOT_LEADER_FOR_PARTITION') throw error;
      return this.#parts.admin.fetchTopicOffsets(topic);
    }
  }
}

function configOf({clock, retentionMs}: TopicSpec, epoch: number): {name: string; value: string}[] {
  const common = [
    {name: 'message.timestamp.type', value: TIMESTAMP_TYPE[clock]},
    {name: 'retention.ms', value: `${retentionMs ?? -1}`},
    {name: 'retention.bytes', value: '-1'},
    {name: 'cleanup.policy', value: 'delete'},
    {name: MARK_CONFIG, value: markOf(epoch)},
  ];
  if (clock === 'log') return common;
  return [
    ...common,
    {name: 'message.timestamp.after.max.ms', value: LONG_MAX},
    {name: 'message.timestamp.before.max.ms', value: LONG_MAX},
  ];
}
