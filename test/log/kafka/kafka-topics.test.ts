import type {Admin, Producer} from 'kafkajs';
import kafkajs from 'kafkajs';
import {expect, test} from 'vitest';
import {epochMs} from '../../../src/core/units.ts';
import {Admins} from '../../../src/log/kafka/admin-source.ts';
import {KafkaTopics} from '../../../src/log/kafka/kafka-topics.ts';
import type {PartitionFetcher} from '../../../src/log/kafka/partition-fetcher.ts';

const refusal = (type: string): Error => Object.assign(new kafkajs.KafkaJSError(type), {type});

/** A cluster whose client answers from what it knew before the leader or the coordinator moved, until it looks again. */
function movedCluster({refusals, looksNeeded}: {readonly refusals: string | Error; readonly looksNeeded: number}) {
  const seen = {looks: 0, asked: 0};
  const answer = <T>(value: T): Promise<T> => {
    seen.asked++;
    return seen.looks < looksNeeded ? Promise.reject(typeof refusals === 'string' ? refusal(refusals) : refusals) : Promise.resolve(value);
  };
  const admin = {
    listTopics: () => Promise.resolve(['live']),
    fetchTopicMetadata: () => Promise.resolve({topics: [{partitions: [{}]}]}),
    describeConfigs: () => {
      seen.looks++;
      return Promise.resolve({resources: [{configEntries: [{configName: 'flush.messages', configValue: `${2n ** 63n - 2n}`}]}]});
    },
    fetchTopicOffsets: () => answer([{partition: 0, low: '3', high: '9'}]),
    fetchOffsets: () => answer([{partitions: [{partition: 0, offset: '5', metadata: 'log epoch 1'}]}]),
  } as unknown as Admin;
  const waited: number[] = [];
  const clock = {now: () => epochMs(0), sleep: (ms: number) => Promise.resolve(void waited.push(ms))};
  const topics = new KafkaTopics({clock, admin: {current: admin, renew: () => Promise.reject(new Error('there is one cluster'))}, producer: {} as Producer, fetcher: {} as PartitionFetcher, replication: 3});
  return {topics, seen, waited};
}

test('offsets are asked of the new leader, though the client still knows the old one', async () => {
  const {topics, seen, waited} = movedCluster({refusals: 'NOT_LEADER_FOR_PARTITION', looksNeeded: 2});
  expect(await topics.offsets('live')).toEqual([{partition: 0, start: 3n, end: 9n}]);
  expect(seen).toEqual({looks: 2, asked: 3});
  expect(waited).toEqual([100, 200]);
});

test.for(['NOT_COORDINATOR_FOR_GROUP', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'GROUP_LOAD_IN_PROGRESS'])('commits are asked again while the coordinator says %s', async type => {
  const {topics} = movedCluster({refusals: type, looksNeeded: 3});
  expect(await topics.committed('live', 'workers')).toEqual([5n]);
});

test('offsets are asked again when the client trips over what it knew', async () => {
  const {topics, seen} = movedCluster({refusals: new TypeError("Cannot destructure property 'partitions' of 'low.pop(...)' as it is undefined."), looksNeeded: 1});
  expect(await topics.offsets('live')).toEqual([{partition: 0, start: 3n, end: 9n}]);
  expect(seen).toEqual({looks: 1, asked: 2});
});

test('a leader that never comes is told after some seconds, with the name Kafka gives it', async () => {
  const {topics, waited} = movedCluster({refusals: 'LEADER_NOT_AVAILABLE', looksNeeded: Number.POSITIVE_INFINITY});
  await expect(topics.offsets('live')).rejects.toMatchObject({type: 'LEADER_NOT_AVAILABLE'});
  expect(waited.reduce((sum, ms) => sum + ms, 0)).toBe(2_800);
});

test('a client that fails over another topic is exchanged, once for all who ask', async () => {
  const opened: string[] = [];
  const gone: string[] = [];
  const clientOf = (name: string, isPoisoned: boolean): Admin => ({
    listTopics: () => Promise.resolve(['live']),
    fetchTopicOffsets: (topic: string) => (isPoisoned || topic !== 'live' ? Promise.reject(refusal('UNKNOWN_TOPIC_OR_PARTITION')) : Promise.resolve([{partition: 0, low: '3', high: '9'}])),
    disconnect: () => Promise.resolve(void gone.push(name)),
  }) as unknown as Admin;
  const admins = new Admins(clientOf('first', true), () => {
    opened.push('next');
    return Promise.resolve(clientOf('next', false));
  });
  const clock = {now: () => epochMs(0), sleep: () => Promise.resolve()};
  const topics = new KafkaTopics({clock, admin: admins, producer: {} as Producer, fetcher: {} as PartitionFetcher, replication: 1});
  const answers = await Promise.all([topics.offsets('live'), topics.offsets('live')]);
  expect(answers).toEqual([[{partition: 0, start: 3n, end: 9n}], [{partition: 0, start: 3n, end: 9n}]]);
  await expect(topics.offsets('dead')).rejects.toMatchObject({code: 'ASSAY_LOG_TOPIC_MISSING'});
  expect(opened).toEqual(['next']);
  await admins.disconnect();
  expect(gone.sort()).toEqual(['first', 'next']);
});

test('what waiting does not heal is told at once', async () => {
  const {topics, waited} = movedCluster({refusals: 'GROUP_AUTHORIZATION_FAILED', looksNeeded: Number.POSITIVE_INFINITY});
  await expect(topics.commits('live', 'workers')).rejects.toMatchObject({type: 'GROUP_AUTHORIZATION_FAILED'});
  expect(waited).toEqual([]);
});
