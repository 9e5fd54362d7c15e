import {readFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {join} from 'node:path';
import kafkajs from 'kafkajs';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import {NO_METRICS, SILENT_LOGGER} from '../../../src/core/telemetry.ts';
import type {EventLog} from '../../../src/log/event-log.ts';
import {type KafkaEventLogOptions, openKafkaEventLog} from '../../../src/log/kafka/kafka-event-log.ts';
import {
  bytes,
  consumerOf,
  must,
  nextOf,
  numbered,
  pull,
  readAll,
  systemClock,
  text,
} from '../../contract/event-log.contract.ts';
import {type OwnKafka, startOwnKafka} from '../../helpers/kafka.ts';

const PATIENCE_MS = 20_000;
const opened: {close(): Promise<void>}[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(brokers: readonly string[], more: Partial<KafkaEventLogOptions> = {}): Promise<EventLog> {
  const log = await openKafkaEventLog({
    brokers,
    clientId: 'failures',
    sessionTimeoutMs: 3_000,
    fetchWaitMs: 50,
    clock: systemClock,
    logger: SILENT_LOGGER,
    metrics: NO_METRICS,
    ...more,
  });
  opened.push(log);
  return log;
}

describe('no broker', () => {
  test('an unreachable address is ASSAY_LOG_UNAVAILABLE, naming it and a fix, within ten seconds', async () => {
    const started = Date.now();
    await expect(open(['127.0.0.1:1'])).rejects.toMatchObject({
      code: 'ASSAY_LOG_UNAVAILABLE',
      message: expect.stringMatching(
        /^cannot reach Kafka at 127\.0\.0\.1:1: .*ECONNREFUSED.*check that the broker runs/,
      ),
    });
    expect(Date.now() - started).toBeLessThan(10_500);
  });

  test('something that accepts and never answers is refused within the limit too', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise(done => server.once('listening', done));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const started = Date.now();
    await expect(open([`127.0.0.1:${port}`])).rejects.toMatchObject({code: 'ASSAY_LOG_UNAVAILABLE'});
    expect(Date.now() - started).toBeLessThan(11_000);
    server.close();
  });

  test('no address at all is a mistake in the config', async () => {
    await expect(open([])).rejects.toMatchObject({code: 'ASSAY_CONFIG_INVALID'});
  });
});

const own = await startOwnKafka();

describe.skipIf('skipped' in own)(`a broker of its own${'skipped' in own ? ` (${own.skipped})` : ''}`, () => {
  const kafka = own as OwnKafka;
  afterAll(() => kafka.stop?.());

  test('a topic deleted and created again has a higher epoch; one made by hand too', async () => {
    const log = await open(kafka.brokers);
    const admin = new kafkajs.Kafka({
      brokers: [...kafka.brokers],
      logLevel: kafkajs.logLevel.NOTHING,
    }).admin();
    await admin.connect();
    const spec = {topic: 'epochs', partitions: 1, clock: 'producer', retentionMs: null} as const;
    const epoch = async (): Promise<number | undefined> => (await log.describeTopic('epochs'))?.logEpoch;
    const remove = async (): Promise<void> => {
      await admin.deleteTopics({topics: ['epochs']});
      while ((await log.describeTopic('epochs')) !== undefined) await systemClock.sleep(50);
    };
    await log.createTopic(spec);
    expect(await epoch()).toBe(1);
    await remove();
    await log.createTopic(spec);
    expect(await epoch()).toBe(2);
    await remove();
    await admin.createTopics({topics: [{topic: 'epochs', numPartitions: 1}]});
    expect(await epoch()).toBe(3);
    await remove();
    await log.createTopic(spec);
    expect(await epoch()).toBe(3);
    await admin.disconnect();
  });

  test('a topic that is gone takes no answer about others away', async () => {
    const log = await open(kafka.brokers);
    for (const topic of ['stays', 'goes']) {
      await log.createTopic({topic, partitions: 2, clock: 'producer', retentionMs: null});
      await log.append(topic, numbered(3, 0));
      expect(await log.offsets(topic)).toHaveLength(2);
    }
    const read = async (topic: string): Promise<number> => (await Promise.all([0, 1].map(partition => readAll(log, topic, partition)))).flat().length;
    expect(await read('goes')).toBe(3);
    const admin = new kafkajs.Kafka({brokers: [...kafka.brokers], logLevel: kafkajs.logLevel.NOTHING}).admin();
    await admin.connect();
    await admin.deleteTopics({topics: ['goes']});
    await admin.disconnect();
    while ((await log.listTopics()).includes('goes')) await systemClock.sleep(50);
    expect(await log.describeTopic('stays')).toMatchObject({topic: 'stays', partitions: 2, logEpoch: 1});
    expect((await log.offsets('stays')).reduce((sum, {end}) => sum + end, 0n)).toBe(3n);
    expect(await log.committed('stays', 'nobody')).toEqual([null, null]);
    // It is read for the first time.
    expect(await read('stays')).toBe(3);
    await expect(read('gone-for-ever')).rejects.toMatchObject({code: 'ASSAY_LOG_TOPIC_MISSING'});
    expect(await log.describeTopic('goes')).toBeUndefined();
    await expect(log.offsets('goes')).rejects.toMatchObject({code: 'ASSAY_LOG_TOPIC_MISSING'});
    // What was asked in vain stays without effect as well.
    expect(await log.offsets('stays')).toHaveLength(2);
  });

  describe('a topic made again', () => {
    const spec = (topic: string) => ({topic, partitions: 1, clock: 'log', retentionMs: null}) as const;
    const client = () => new kafkajs.Kafka({brokers: [...kafka.brokers], logLevel: kafkajs.logLevel.NOTHING});

    async function makeAgain(topic: string, log: EventLog, records: number): Promise<void> {
      const admin = client().admin();
      await admin.connect();
      await admin.deleteTopics({topics: [topic]});
      await admin.disconnect();
      const operator = await open(kafka.brokers);
      while ((await operator.describeTopic(topic)) !== undefined) await systemClock.sleep(20);
      await operator.createTopic(spec(topic));
      await operator.append(topic, numbered(records, 0));
      await log.describeTopic(topic);
    }

    test.each([
      {name: 'longer', records: 150},
      {name: 'shorter', records: 20},
    ])('$name than what was read of it: the consumer is fenced before rows are stored, the next one reads it all', async ({name, records}) => {
      const log = await open(kafka.brokers);
      const topic = `again-${name}`;
      await log.createTopic(spec(topic));
      await log.append(topic, numbered(100, 0));
      const before = await log.openConsumer(consumerOf(topic));
      await pull(before, 100, PATIENCE_MS);
      await before.commit([{partition: 0, offset: 100n}]);
      await expect(before.confirm(1)).resolves.toBeUndefined();
      await makeAgain(topic, log, records);
      await expect(before.confirm(1)).rejects.toMatchObject({code: 'ASSAY_LOG_FENCED', message: expect.stringContaining(topic)});
      await expect(before.next(PATIENCE_MS)).rejects.toMatchObject({code: 'ASSAY_LOG_FENCED'});
      await before.close();
      const after = await log.openConsumer(consumerOf(topic));
      expect(await nextOf(after, 'assigned', PATIENCE_MS)).toMatchObject({logEpoch: 2, partitions: [{partition: 0, startOffset: 0n}]});
      expect((await pull(after, records, PATIENCE_MS)).records.map(r => r.offset)).toEqual(Array.from({length: records}, (_, i) => BigInt(i)));
      await expect(after.confirm(2)).resolves.toBeUndefined();
      await after.close();
    });

    /** Commits as a worker does that does not know yet. */
    async function commitLate(topic: string, metadata: string): Promise<void> {
      const consumer = client().consumer({groupId: consumerOf(topic).group});
      await consumer.connect();
      await consumer.subscribe({topics: [topic]});
      const isIn = new Promise(resolve => consumer.on(consumer.events.GROUP_JOIN, resolve));
      await consumer.run({autoCommit: false, eachMessage: () => Promise.resolve()});
      await isIn;
      await consumer.commitOffsets([{topic, partition: 0, offset: '15', metadata}]);
      await consumer.disconnect();
    }

    test('a commit that belongs to the earlier topic passes nothing over', async () => {
      const log = await open(kafka.brokers);
      const topic = 'again-committed';
      await log.createTopic(spec(topic));
      await makeAgain(topic, log, 20);
      await commitLate(topic, 'log epoch 1');
      expect(await log.committed(topic, consumerOf(topic).group)).toEqual([null]);
      const first = await log.openConsumer(consumerOf(topic));
      await expect(first.next(PATIENCE_MS)).rejects.toMatchObject({code: 'ASSAY_LOG_FENCED', message: expect.stringContaining('read from its start')});
      await first.close();
      const second = await log.openConsumer(consumerOf(topic));
      expect((await pull(second, 20, PATIENCE_MS)).records[0]?.offset).toBe(0n);
      await second.close();
      // The control: the same commit of the topic that is there counts.
      await commitLate(topic, 'log epoch 2');
      expect(await log.committed(topic, consumerOf(topic).group)).toEqual([15n]);
      const third = await log.openConsumer(consumerOf(topic));
      expect((await pull(third, 5, PATIENCE_MS)).records[0]?.offset).toBe(15n);
      await third.close();
    });
  });

  test('records that retention removed before a group read them are logged and counted', async () => {
    const counted: number[] = [];
    const metrics = {
      ...NO_METRICS,
      count: (name: string, by = 1) => name === 'assay_log_gap_records_total' && counted.push(by),
    };
    const log = await open(kafka.brokers, {metrics});
    await log.createTopic({topic: 'trimmed', partitions: 1, clock: 'log', retentionMs: null});
    await log.append('trimmed', numbered(10, 0));
    const before = await log.openConsumer(consumerOf('trimmed'));
    await must(before, PATIENCE_MS);
    await before.commit([{partition: 0, offset: 2n}]);
    await before.close();
    const admin = new kafkajs.Kafka({
      brokers: [...kafka.brokers],
      logLevel: kafkajs.logLevel.NOTHING,
    }).admin();
    await admin.connect();
    // The admin client loads a topic's metadata only on the way of other questions.
    await admin.fetchTopicOffsets('trimmed');
    await admin.deleteTopicRecords({topic: 'trimmed', partitions: [{partition: 0, offset: '6'}]});
    await admin.disconnect();
    const after = await log.openConsumer(consumerOf('trimmed'));
    expect(await nextOf(after, 'assigned', PATIENCE_MS)).toMatchObject({
      partitions: [{partition: 0, startOffset: 6n}],
    });
    expect((await pull(after, 4, PATIENCE_MS)).records.map(r => r.offset)).toEqual([6n, 7n, 8n, 9n]);
    expect(counted).toEqual([4]);
    await after.close();
  });

  test('a slow loop pauses fetching, stays a member, and misses nothing', async () => {
    const log = await open(kafka.brokers);
    await log.createTopic({topic: 'slow', partitions: 2, clock: 'log', retentionMs: null});
    const value = bytes('x'.repeat(10_000));
    const records = Array.from({length: 1_000}, (_, i) => ({key: `k${i}`, value}));
    await log.append('slow', records);
    const consumer = await log.openConsumer(
      consumerOf('slow', {bufferBytesMax: 500_000, batchRecordsMax: 20}),
    );
    await must(consumer, PATIENCE_MS);
    const seen = new Set<string>();
    for (let pulls = 0; seen.size < 1_000; pulls++) {
      // Longer than the session: only heartbeats from elsewhere keep the member in.
      if (pulls === 3) await systemClock.sleep(4_500);
      const event = await must(consumer, PATIENCE_MS);
      expect(event.type).toBe('batch');
      if (event.type === 'batch') for (const r of event.records) seen.add(`${r.partition}:${r.offset}`);
    }
    await consumer.commit([{partition: 0, offset: 1n}]);
    await consumer.close();
  });

  test('while the broker is away appends are refused, the consumer dies as fenced, and both work again after', async () => {
    const log = await open(kafka.brokers, {requestTimeoutMs: 4_000});
    await log.createTopic({topic: 'away', partitions: 1, clock: 'log', retentionMs: null});
    await log.append('away', [{key: 'k', value: bytes('before')}]);
    const consumer = await log.openConsumer(consumerOf('away'));
    await must(consumer, PATIENCE_MS);
    await pull(consumer, 1, PATIENCE_MS);
    // One that holds its partitions, as a worker does whose warehouse or commit has to wait.
    const held = await log.openConsumer({...consumerOf('away'), group: 'held'});
    await must(held, PATIENCE_MS);
    await pull(held, 1, PATIENCE_MS);
    held.pause([0]);
    await kafka.kill(1);
    await expect(log.append('away', [{key: 'k', value: bytes('lost')}])).rejects.toMatchObject({
      code: 'ASSAY_LOG_UNAVAILABLE',
    });
    await expect(nextOf(consumer, 'batch', 60_000)).rejects.toMatchObject({code: 'ASSAY_LOG_FENCED'});
    await expect(nextOf(held, 'batch', 60_000)).rejects.toMatchObject({code: 'ASSAY_LOG_FENCED'});
    held.resume([0]);
    await Promise.all([consumer.close(), held.close()]);
    await kafka.restart(1);
    await log.append('away', [{key: 'k', value: bytes('after')}]);
    const stored = (await readAll(log, 'away', 0)).map(r => text(r.value));
    expect(stored.filter(value => value !== 'lost')).toEqual(['before', 'after']);
    const again = await log.openConsumer(consumerOf('away'));
    await must(again, PATIENCE_MS);
    expect(text((await pull(again, 1, PATIENCE_MS)).records[0]?.value)).toBe('before');
    await again.close();
  }, 120_000);
});

describe('TLS and SASL', () => {
  let secure: OwnKafka | {readonly skipped: string};
  beforeAll(async () => {
    secure = await startOwnKafka({sasl: true, tls: true});
  }, 120_000);
  afterAll(async () => {
    if ('stop' in secure) await secure.stop();
  });

  test('plain and both scram mechanisms over TLS; a wrong password and an unknown authority are refused', async context => {
    if ('skipped' in secure) return context.skip(secure.skipped);
    const ca = readFileSync(join(secure.directory, 'tls/ca.pem'), 'utf8');
    const {brokers} = secure;
    for (const sasl of [
      {mechanism: 'plain', username: 'admin', password: 'admin-secret'},
      {mechanism: 'scram-sha-256', username: 'alice', password: 'alice-secret'},
      {mechanism: 'scram-sha-512', username: 'alice', password: 'alice-secret'},
    ] as const) {
      const log = await open(brokers, {sasl, tls: {ca}});
      expect(await log.listTopics()).toEqual([]);
    }
    const wrong = {mechanism: 'scram-sha-256', username: 'alice', password: 'wrong'} as const;
    await expect(open(brokers, {sasl: wrong, tls: {ca}})).rejects.toMatchObject({
      code: 'ASSAY_CONFIG_INVALID',
    });
    await expect(open(brokers, {sasl: wrong, tls: {}})).rejects.toMatchObject({
      code: 'ASSAY_LOG_UNAVAILABLE',
      message: expect.stringContaining('certificate'),
    });
    const log = await open(brokers, {sasl: wrong, tls: {rejectUnauthorized: false}}).catch(error => error);
    expect(log).toMatchObject({code: 'ASSAY_CONFIG_INVALID'});
  }, 60_000);
});
