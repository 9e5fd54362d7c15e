import kafkajs, {type Kafka} from 'kafkajs';
import {makeKafka} from './kafka-client.ts';
import type {KafkaEventLogOptions} from './kafka-options.ts';

/** What operators and accidents do to a cluster, for fault tests: nothing of the pipeline calls this. */
export type ClusterSurgery = {
  /** Removes the records of a partition below an offset, as retention does. */
  deleteBelow(topic: string, at: {readonly partition: number; readonly offset: bigint}): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  addPartitions(topic: string, partitions: number): Promise<void>;
  /** Appends one record of zeros that travels as a small gzip batch and unpacks to `bytes`. */
  appendBomb(topic: string, at: {readonly partition: number; readonly bytes: number; readonly timestamp: number; readonly headers: Readonly<Record<string, string>>}): Promise<void>;
};

const GZIP = 1;

export function openClusterSurgery(options: KafkaEventLogOptions): ClusterSurgery {
  const kafka = makeKafka(options);
  return {
    deleteBelow: (topic, {partition, offset}) =>
      withAdmin(kafka, async admin => {
        // kafkajs deletes only in topics whose metadata it has seen.
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({topic, partitions: [{partition, offset: `${offset}`}]});
      }),
    deleteTopic: topic => withAdmin(kafka, admin => admin.deleteTopics({topics: [topic]})),
    addPartitions: (topic, count) => withAdmin(kafka, async admin => void (await admin.createPartitions({topicPartitions: [{topic, count}]}))),
    appendBomb: async (topic, {partition, bytes, timestamp, headers}) => {
      const producer = kafka.producer({allowAutoTopicCreation: false, createPartitioner: kafkajs.Partitioners.DefaultPartitioner});
      await producer.connect();
      try {
        const value = Buffer.alloc(bytes);
        await producer.send({topic, compression: GZIP, messages: [{partition, key: null, value, timestamp: `${timestamp}`, headers: {...headers}}]});
      } finally {
        await producer.disconnect();
      }
    },
  };
}

async function withAdmin(kafka: Kafka, work: (admin: kafkajs.Admin) => Promise<void>): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.disconnect();
  }
}
