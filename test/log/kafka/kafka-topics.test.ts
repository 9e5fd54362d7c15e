import type {Admin, Producer} from 'kafkajs';
import kafkajs from 'kafkajs';
import {expect, test} from 'vitest';
import {epochMs} from '../../../src/core/units.ts';
import {KafkaTopics} from '../../../src/log/kafka/kafka-topics.ts';
import type {PartitionFetcher} from '../../../src/log/kafka/partition-fetcher.ts';

const refusal = (type: string): Error => Object.assign(new kafkajs.KafkaJSError(type), {type});

/** A cluster whose client answers from what it knew before the leader or the coordinator moved, until it looks again. */
function movedCluster({refusals, looksNeeded}: {readonly refusals: string; readonly looksNeeded: number}) {
  const seen = {looks: 0, asked: 0};
  const answer = <T>(value: T): Promise<T> => {
    seen.asked++;
    return seen.looks < looksNeeded ? Promise.reject(refusal(refusals)) : Promise.resolve(value);
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
  const topics = new KafkaTopics({clock, admin, producer: {} as Producer, fetcher: {} as PartitionFetcher, replication: 3});
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

test('a leader that never comes is told after some seconds, with the name Kafka gives it', async () => {
  const {topics, waited} = movedCluster({refusals: 'LEADER_NOT_AVAILABLE', looksNeeded: Number.POSITIVE_INFINITY});
  await expect(topics.offsets('live')).rejects.toMatchObject({type: 'LEADER_NOT_AVAILABLE'});
  expect(waited.reduce((sum, ms) => sum + ms, 0)).toBe(2_800);
});

test('what waiting does not heal is told at once', async () => {
  const {topics, waited} = movedCluster({refusals: 'GROUP_AUTHORIZATION_FAILED', looksNeeded: Number.POSITIVE_INFINITY});
  await expect(topics.commits('live', 'workers')).rejects.toMatchObject({type: 'GROUP_AUTHORIZATION_FAILED'});
  expect(waited).toEqual([]);
});
