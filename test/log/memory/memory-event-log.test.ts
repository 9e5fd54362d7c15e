import {describe, expect, test} from 'vitest';
import type {Clock} from '../../../src/core/clock.ts';
import {epochMs} from '../../../src/core/units.ts';
import {MemoryEventLog} from '../../../src/log/memory/memory-event-log.ts';
import {
  bytes,
  consumerOf,
  describeEventLogContract,
  must,
  nextOf,
  numbered,
  pull,
  range,
  systemClock,
} from '../../contract/event-log.contract.ts';

describeEventLogContract('memory', async () => new MemoryEventLog({clock: systemClock}), {
  recreate: (log, spec) => (log as MemoryEventLog).recreateTopic(spec),
});

const TOPIC = 'events';

async function setUp(partitions = 1, clock: Clock = systemClock) {
  const log = new MemoryEventLog({clock});
  await log.createTopic({topic: TOPIC, partitions, clock: 'log', retentionMs: null});
  return log;
}

describe('MemoryEventLog', () => {
  test('a timeout is the injected clock, nothing else', async () => {
    const slept: number[] = [];
    let now = 1_000;
    const clock: Clock = {
      now: () => epochMs(now),
      sleep: async ms => {
        slept.push(ms);
        now += ms;
      },
    };
    const log = await setUp(1, clock);
    const consumer = await log.openConsumer(consumerOf(TOPIC));
    await must(consumer, 0);
    expect(await consumer.next(86_400_000)).toBeUndefined();
    expect(slept).toEqual([86_400_000]);
    expect(await consumer.next(0)).toBeUndefined();
    expect(slept).toHaveLength(1);
  });

  test('a backward commit delivers records again after a rebalance', async () => {
    const log = await setUp();
    await log.append(TOPIC, numbered(5, 0));
    const consumer = await log.openConsumer(consumerOf(TOPIC));
    await must(consumer, 0);
    await pull(consumer, 5, 0);
    await consumer.commit([{partition: 0, offset: 5n}]);
    await log.setCommitted({topic: TOPIC, group: 'contract', partition: 0, offset: 2n});
    log.rebalance(TOPIC, 'contract');
    expect((await must(consumer, 0)).type).toBe('revoked');
    await must(consumer, 0);
    expect((await pull(consumer, 3, 0)).records.map(r => r.offset)).toEqual(range(2, 5));
  });

  test('a commit is refused between the rebalance and the loop learning of it', async () => {
    const log = await setUp();
    await log.append(TOPIC, numbered(5, 0));
    const consumer = await log.openConsumer(consumerOf(TOPIC));
    await must(consumer, 0);
    await pull(consumer, 5, 0);
    log.rebalance(TOPIC, 'contract');
    const commit = consumer.commit([{partition: 0, offset: 5n}]);
    await expect(commit).rejects.toMatchObject({code: 'ASSAY_LOG_FENCED', kind: 'retry'});
    expect(await log.committed(TOPIC, 'contract')).toEqual([null]);
  });

  test('a fenced member rejects and its partitions go to the next one', async () => {
    const log = await setUp();
    const consumer = await log.openConsumer(consumerOf(TOPIC));
    await must(consumer, 0);
    log.fence(TOPIC, 'contract');
    await expect(consumer.next(0)).rejects.toMatchObject({code: 'ASSAY_LOG_FENCED'});
    await consumer.close();
    const next = await log.openConsumer(consumerOf(TOPIC));
    expect((await must(next, 0)).type).toBe('assigned');
  });

  test('faults fail or lose appends and commits as often as asked', async () => {
    const log = await setUp();
    const unavailable = {code: 'ASSAY_LOG_UNAVAILABLE'};
    const record = {key: 'k', value: bytes('v')};
    log.faults.failAppends = 1;
    await expect(log.append(TOPIC, [record])).rejects.toMatchObject(unavailable);
    log.faults.loseAppendAnswers = 1;
    await expect(log.append(TOPIC, [record])).rejects.toMatchObject(unavailable);
    expect((await log.offsets(TOPIC))[0]?.end).toBe(1n);

    const consumer = await log.openConsumer(consumerOf(TOPIC));
    await must(consumer, 0);
    log.faults.failCommits = 1;
    await expect(consumer.commit([{partition: 0, offset: 1n}])).rejects.toMatchObject(unavailable);
    log.faults.loseCommits = 1;
    await consumer.commit([{partition: 0, offset: 1n}]);
    expect(await log.committed(TOPIC, 'contract')).toEqual([null]);
    await consumer.commit([{partition: 0, offset: 1n}]);
    expect(await log.committed(TOPIC, 'contract')).toEqual([1n]);
  });

  test('an unreadable range is one event between the batches around it', async () => {
    const log = await setUp();
    await log.append(TOPIC, numbered(2, 0));
    log.appendUnreadable({topic: TOPIC, partition: 0, records: 3, timestamp: epochMs(5), reason: 'no codec'});
    await log.append(TOPIC, numbered(1, 0));
    const consumer = await log.openConsumer(consumerOf(TOPIC));
    await must(consumer, 0);
    expect((await pull(consumer, 2, 0)).records.map(r => r.offset)).toEqual([0n, 1n]);
    expect(await must(consumer, 0)).toEqual({
      type: 'unreadable',
      partition: 0,
      firstOffset: 2n,
      lastOffset: 4n,
      timestamp: 5,
      reason: 'no codec',
    });
    expect((await pull(consumer, 1, 0)).records.map(r => r.offset)).toEqual([5n]);
  });

  test('records that retention removed before they were read are logged and counted', async () => {
    const counted: number[] = [];
    const metrics = {
      count: (_: string, by = 1) => counted.push(by),
      gauge: () => undefined,
      observe: () => undefined,
    };
    const log = new MemoryEventLog({clock: systemClock, metrics});
    await log.createTopic({topic: TOPIC, partitions: 1, clock: 'log', retentionMs: 1});
    await log.append(TOPIC, numbered(10, 0));
    const consumer = await log.openConsumer(consumerOf(TOPIC));
    await nextOf(consumer, 'assigned', 0);
    log.trim(TOPIC, 0, 6n);
    expect((await pull(consumer, 4, 0)).records.map(r => r.offset)).toEqual(range(6, 10));
    expect(counted).toEqual([6]);
  });
});
