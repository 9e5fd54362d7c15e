import kafkajs, {type Admin, type Producer} from 'kafkajs';
import type {Clock} from '../../core/clock.ts';
import type {PartitionOffsets, TopicInfo, TopicSpec} from '../event-log.ts';
import {checkSameTopic, checkTopicSpec, topicMissing} from '../topic-spec.ts';
import type {AdminSource} from './admin-source.ts';
import {isTorn, kafkaTypeOf} from './kafka-errors.ts';
import type {PartitionFetcher} from './partition-fetcher.ts';
import {EPOCHS_TOPIC, epochOfMark, epochOfNote, MARK_CONFIG, markOf, newestEpoch, writeEpoch} from './topic-epochs.ts';

const LONG_MAX = '9223372036854775807';
const TIMESTAMP_TYPE = {log: 'LogAppendTime', producer: 'CreateTime'} as const;

const TRIES_MAX = 8;
const RETRY_MS = 100;

/** What a partition or a group answers while it moves to another broker. */
const MOVING = ['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE', 'NOT_COORDINATOR_FOR_GROUP', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'GROUP_LOAD_IN_PROGRESS'];

export type KafkaTopicsParts = {
  readonly clock: Clock;
  readonly admin: AdminSource;
  readonly producer: Producer;
  readonly fetcher: PartitionFetcher;
  /** −1: the brokers' default. */
  readonly replication: number;
};

export type MarkedTopic = TopicInfo & {
  /** The log epoch as the topic itself says it; undefined when it was made by hand. */
  readonly mark: number | undefined;
};

export type GroupCommit = {
  readonly partition: number;
  /** null: there is none. */
  readonly offset: bigint | null;
  /** Of the topic it was made for; undefined when something else than this adapter made it. */
  readonly logEpoch: number | undefined;
};

export const isStale = (commit: GroupCommit, logEpoch: number): boolean =>
  commit.logEpoch !== undefined && commit.logEpoch < logEpoch;

/** Topics of a cluster, by the admin client. Throws what kafkajs throws; the log translates. */
export class KafkaTopics {
  readonly #parts: KafkaTopicsParts;
  /** Facts of a topic that hold as long as it lives. Dropped when it is created. */
  readonly #known = new Map<string, MarkedTopic>();
  #creating: Promise<void> = Promise.resolve();

  constructor(parts: KafkaTopicsParts) {
    this.#parts = parts;
  }

  /** One at a time: the producer does not find the epochs topic while another creation is still making it. */
  create(spec: TopicSpec): Promise<void> {
    // Of several brokers some hear of a new topic later than others; a second try finds it.
    const created = this.#creating.then(() => this.#patiently(['UNKNOWN_TOPIC_OR_PARTITION'], () => this.#create(spec)));
    this.#creating = created.catch(() => undefined);
    return created;
  }

  async #create(spec: TopicSpec): Promise<void> {
    checkTopicSpec(spec);
    const existing = await this.describe(spec.topic);
    if (existing !== undefined) return checkSameTopic(existing, spec);
    const epoch = (await this.#newestEpoch(spec.topic)) + 1;
    // Written down first: a number is rather left out than used twice.
    const admin = this.#parts.admin.current;
    await writeEpoch(spec.topic, epoch, {...this.#parts, admin});
    const topics = [
      {
        topic: spec.topic,
        numPartitions: spec.partitions,
        replicationFactor: this.#parts.replication,
        configEntries: configOf(spec, epoch),
      },
    ];
    await this.#ask(spec.topic, asked => asked.createTopics({waitForLeaders: true, topics}));
    // Another process may have been faster, with another number of partitions.
    const created = await this.describe(spec.topic);
    if (created !== undefined) checkSameTopic(created, spec);
  }

  async describe(topic: string): Promise<MarkedTopic | undefined> {
    const topics = await this.#parts.admin.current.listTopics();
    const ask = (admin: Admin) => Promise.all([admin.fetchTopicMetadata({topics: [topic]}), configFrom(admin, topic)]);
    const found = topics.includes(topic) ? await this.#ask(topic, ask).catch(goneBetween) : undefined;
    if (found === undefined) {
      this.#known.delete(topic);
      return undefined;
    }
    const [metadata, config] = found;
    const mark = epochOfMark(config.get(MARK_CONFIG));
    const info: MarkedTopic = {
      topic,
      partitions: metadata.topics[0]?.partitions.length ?? 0,
      clock: config.get('message.timestamp.type') === TIMESTAMP_TYPE.log ? 'log' : 'producer',
      logEpoch: mark ?? (await this.#newestEpoch(topic)) + 1,
      mark,
    };
    this.#known.set(topic, info);
    return info;
  }

  /** What was known when the topic was last described. @throws ASSAY_LOG_TOPIC_MISSING */
  async get(topic: string): Promise<MarkedTopic> {
    const info = this.#known.get(topic) ?? (await this.describe(topic));
    if (info === undefined) throw topicMissing(topic);
    return info;
  }

  forget(topic: string): void {
    this.#known.delete(topic);
  }

  async list(): Promise<string[]> {
    const topics = await this.#parts.admin.current.listTopics();
    return topics.filter(topic => !topic.startsWith('__')).sort();
  }

  async offsets(topic: string): Promise<PartitionOffsets[]> {
    const offsets = await this.#offsetsOf(topic);
    return offsets
      .map(({partition, low, high}) => ({partition, start: BigInt(low), end: BigInt(high)}))
      .sort((a, b) => a.partition - b.partition);
  }

  /** An offset committed for an earlier topic of this name is none. */
  async committed(topic: string, group: string): Promise<(bigint | null)[]> {
    const commits = await this.commits(topic, group);
    const known = await this.get(topic);
    const isNewer = commits.some(({logEpoch}) => logEpoch !== undefined && logEpoch > known.logEpoch);
    const {partitions, logEpoch} = isNewer ? ((await this.describe(topic)) ?? known) : known;
    const offsets = new Map(commits.map(commit => [commit.partition, isStale(commit, logEpoch) ? null : commit.offset]));
    return Array.from({length: partitions}, (_, partition) => offsets.get(partition) ?? null);
  }

  async commits(topic: string, group: string): Promise<GroupCommit[]> {
    const [found] = await this.#wherever(topic, admin => admin.fetchOffsets({groupId: group, topics: [topic]}));
    return (found?.partitions ?? []).map(({partition, offset, metadata}) => ({
      partition,
      offset: BigInt(offset) < 0n ? null : BigInt(offset),
      logEpoch: epochOfNote(metadata),
    }));
  }

  /** What tells the topic from another of its name; undefined when it was made by hand. */
  async mark(topic: string): Promise<number | undefined> {
    return epochOfMark((await this.#config(topic)).get(MARK_CONFIG));
  }

  #config(topic: string): Promise<ReadonlyMap<string, string>> {
    return this.#ask(topic, admin => configFrom(admin, topic));
  }

  #newestEpoch(topic: string): Promise<number> {
    return this.#wherever(EPOCHS_TOPIC, admin => newestEpoch(topic, {...this.#parts, admin}));
  }

  /** That a topic is gone may be true of another one that the client was asked about before: see {@link Admins}. */
  async #ask<T>(topic: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    const {admin} = this.#parts;
    const asked = admin.current;
    try {
      return await question(asked);
    } catch (error) {
      if (kafkaTypeOf(error) !== 'UNKNOWN_TOPIC_OR_PARTITION' || !(await asked.listTopics()).includes(topic)) throw error;
      await admin.renew(asked);
      return question(admin.current);
    }
  }

  async #offsetsOf(topic: string): Promise<{partition: number; low: string; high: string}[]> {
    try {
      return await this.#wherever(topic, admin => admin.fetchTopicOffsets(topic));
    } catch (error) {
      if (kafkaTypeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') throw topicMissing(topic);
      throw error;
    }
  }

  /** kafkajs asks the broker it knows for five minutes, though that says it is the wrong one; to describe a configuration, it looks again. */
  #wherever<T>(topic: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    return this.#patiently(MOVING, () => this.#ask(topic, question), () => this.#config(topic).catch(() => undefined));
  }

  async #patiently<T>(types: readonly string[], run: () => Promise<T>, between: () => Promise<unknown> = () => Promise.resolve()): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await run();
      } catch (error) {
        if (!(types.includes(kafkaTypeOf(error)) || isTorn(error)) || tries === TRIES_MAX) throw error;
        await this.#parts.clock.sleep(RETRY_MS * tries);
        await between();
      }
    }
  }
}

async function configFrom(admin: Admin, topic: string): Promise<ReadonlyMap<string, string>> {
  const {resources} = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: topic,
        configNames: ['message.timestamp.type', MARK_CONFIG],
      },
    ],
  });
  return new Map(resources[0]?.configEntries.map(entry => [entry.configName, entry.configValue]));
}

/** A topic that is being deleted is listed a little longer than it is there. */
function goneBetween(error: unknown): undefined {
  if (kafkaTypeOf(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
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
