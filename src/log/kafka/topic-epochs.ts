import type {Admin, Producer} from 'kafkajs';
import {assert} from '../../core/assert.ts';
import type {PartitionFetcher} from './partition-fetcher.ts';

/** One partition, compacted by topic: the newest log epoch each name ever had. */
export const EPOCHS_TOPIC = 'assay.log-epochs.v1';

/**
 * The log epoch of topics. kafkajs cannot see topic ids, so a creation writes the
 * epoch down twice: first into {@link EPOCHS_TOPIC}, which outlives the topic, then
 * into the topic's own configuration, which dies with it (`flush.messages`, counted
 * down from its default of 2^63 − 1, where it has no effect).
 *
 * A topic without the mark was created by hand, and so is one newer than the
 * newest epoch written down: its epoch is that plus one, for every reader alike.
 */
export const MARK_CONFIG = 'flush.messages';
const MARK_BASE = 2n ** 63n - 1n;
/** Far below any value an operator would mean. */
const EPOCH_MAX = 65_535n;

export const markOf = (epoch: number): string => `${MARK_BASE - BigInt(epoch)}`;

/** undefined: the configuration holds no mark. */
export function epochOfMark(value: string | undefined): number | undefined {
  if (value === undefined || !/^\d+$/.test(value)) return undefined;
  const epoch = MARK_BASE - BigInt(value);
  return epoch > 0n && epoch <= EPOCH_MAX ? Number(epoch) : undefined;
}

/** Travels with each commit: an offset says nothing about a topic that was made again since. */
export const noteOf = (logEpoch: number): string => `log epoch ${logEpoch}`;

/** undefined: committed by something else, such as an operator's tool. */
export function epochOfNote(note: string | null | undefined): number | undefined {
  const found = /^log epoch (\d+)$/.exec(note ?? '');
  return found === null ? undefined : Number(found[1]);
}

/** The newest epoch written down for the topic; 0 when there is none. */
export async function newestEpoch(
  topic: string,
  {admin, fetcher}: {admin: Admin; fetcher: PartitionFetcher},
): Promise<number> {
  const topics = await admin.listTopics();
  if (!topics.includes(EPOCHS_TOPIC)) return 0;
  const [offsets] = await admin.fetchTopicOffsets(EPOCHS_TOPIC);
  if (offsets === undefined) return 0;
  let newest = 0;
  const range = {
    topic: EPOCHS_TOPIC,
    partition: 0,
    fromOffset: BigInt(offsets.low),
    toOffset: BigInt(offsets.high),
  };
  for await (const records of fetcher.read(range)) {
    for (const {key, value} of records) {
      if (key === topic) newest = Math.max(newest, Number(Buffer.from(value).toString('utf8')));
    }
  }
  return newest;
}

export async function writeEpoch(
  topic: string,
  epoch: number,
  {admin, producer, replication}: {admin: Admin; producer: Producer; replication: number},
): Promise<void> {
  assert(epoch <= Number(EPOCH_MAX), 'a topic is created fewer than 65 536 times');
  const topics = await admin.listTopics();
  if (!topics.includes(EPOCHS_TOPIC))
    await admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic: EPOCHS_TOPIC,
          numPartitions: 1,
          replicationFactor: replication,
          configEntries: [{name: 'cleanup.policy', value: 'compact'}],
        },
      ],
    });
  await producer.send({
    topic: EPOCHS_TOPIC,
    acks: -1,
    messages: [{key: topic, value: `${epoch}`, partition: 0}],
  });
}
