import kafkajs from 'kafkajs';
import {makeKafka} from './kafka-client.ts';
import {bounded, toAssayError} from './kafka-errors.ts';
import {KAFKA_LIMITS, type KafkaEventLogOptions} from './kafka-options.ts';

export type TopicFacts = {
  readonly topic: string;
  readonly partitions: number;
  /** The smallest number of replicas of a partition, and of those in step with the leader. */
  readonly replicas: number;
  readonly inSync: number;
  /** By Kafka's name of the setting. */
  readonly settings: Readonly<Record<string, string>>;
};

export type ClusterFacts = {
  readonly brokers: number;
  readonly hasController: boolean;
  readonly topics: readonly TopicFacts[];
};

const SETTINGS = ['message.timestamp.type', 'message.timestamp.after.max.ms', 'cleanup.policy', 'retention.ms', 'retention.bytes', 'min.insync.replicas', 'max.message.bytes'];

/**
 * What an operator should know of the cluster and of the topics whose name starts so. Changes nothing.
 * @throws AssayError ASSAY_LOG_UNAVAILABLE, ASSAY_CONFIG_INVALID with the fix
 */
export async function inspectCluster(options: KafkaEventLogOptions, prefix: string): Promise<ClusterFacts> {
  const what = `cannot inspect Kafka at ${options.brokers.join(', ')}`;
  const admin = makeKafka(options).admin({retry: {retries: 1, initialRetryTime: 200, maxRetryTime: 500}});
  try {
    return await bounded(what, () => inspect(admin, prefix), {clock: options.clock, ms: KAFKA_LIMITS.openTimeoutMs});
  } catch (error) {
    throw toAssayError(what, error);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

async function inspect(admin: kafkajs.Admin, prefix: string): Promise<ClusterFacts> {
  await admin.connect();
  const {brokers, controller} = await admin.describeCluster();
  const names = (await admin.listTopics()).filter(name => name.startsWith(prefix)).sort();
  if (names.length === 0) return {brokers: brokers.length, hasController: controller !== null, topics: []};
  const type = kafkajs.ConfigResourceTypes.TOPIC;
  const [metadata, configs] = await Promise.all([
    admin.fetchTopicMetadata({topics: names}),
    admin.describeConfigs({includeSynonyms: false, resources: names.map(name => ({type, name, configNames: SETTINGS}))}),
  ]);
  const settingsOf = new Map(configs.resources.map(({resourceName, configEntries}) => [resourceName, Object.fromEntries(configEntries.map(entry => [entry.configName, entry.configValue]))]));
  return {
    brokers: brokers.length,
    hasController: controller !== null,
    topics: metadata.topics.sort((a, b) => (a.name < b.name ? -1 : 1)).map(({name, partitions}) => ({
      topic: name,
      partitions: partitions.length,
      replicas: Math.min(...partitions.map(({replicas}) => replicas.length)),
      inSync: Math.min(...partitions.map(({isr}) => isr.length)),
      settings: settingsOf.get(name) ?? {},
    })),
  };
}
