import kafkajs from 'kafkajs';
import {afterEach, expect, test} from 'vitest';
import {NO_METRICS, SILENT_LOGGER} from '../../../src/core/telemetry.ts';
import type {ConsumerEvent, EventLog} from '../../../src/log/event-log.ts';
import {LZ4} from '../../../src/log/kafka/codecs.ts';
import {openKafkaEventLog} from '../../../src/log/kafka/kafka-event-log.ts';
import {bytes, collect, consumerOf, must, range, systemClock} from '../../contract/event-log.contract.ts';
import {withKafka} from '../../helpers/kafka.ts';

const PATIENCE_MS = 15_000;

await withKafka('batches that cannot be read', brokers => {
  const opened: {close(): Promise<void>}[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
  });

  async function setUp(name: string): Promise<{log: EventLog; topic: string; producer: kafkajs.Producer}> {
    const log = await openKafkaEventLog({
      brokers,
      clientId: 'unreadable',
      fetchWaitMs: 50,
      clock: systemClock,
      logger: SILENT_LOGGER,
      metrics: NO_METRICS,
    });
    const topic = `unreadable-${process.pid}-${Date.now()}-${name}`;
    await log.createTopic({topic, partitions: 1, clock: 'log', retentionMs: null});
    const kafka = new kafkajs.Kafka({brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING});
    const producer = kafka.producer({createPartitioner: kafkajs.Partitioners.DefaultPartitioner});
    await producer.connect();
    opened.push({close: () => producer.disconnect()}, log);
    return {log, topic, producer};
  }

  /** Pulls until the record 'end' came. */
  async function pullAll(log: EventLog, topic: string): Promise<ConsumerEvent[]> {
    const consumer = await log.openConsumer(consumerOf(topic, {group: `g-${topic}`}));
    opened.unshift(consumer);
    const events: ConsumerEvent[] = [];
    for (;;) {
      const event = await must(consumer, PATIENCE_MS);
      events.push(event);
      if (event.type === 'batch' && event.records.some(r => Buffer.from(r.value).toString() === 'end'))
        return events;
    }
  }

  const kinds = (events: ConsumerEvent[]): string[] =>
    events
      .filter(event => event.type === 'batch' || event.type === 'unreadable')
      .map(event =>
        event.type === 'batch'
          ? `records ${event.records[0]?.offset}-${event.records.at(-1)?.offset}`
          : `unreadable ${event.firstOffset}-${event.lastOffset}: ${event.reason}`,
      );

  async function sendFramed(
    producer: kafkajs.Producer,
    topic: string,
    compression: number,
    messages: kafkajs.Message[],
  ) {
    await producer.send({topic, messages: [{key: 'k', value: 'begin'}]});
    await producer.send({topic, compression, messages});
    await producer.send({topic, messages: [{key: 'k', value: 'end'}]});
  }

  test('every codec is read, also by the reader without a group', async () => {
    const {log, topic, producer} = await setUp('codecs');
    for (const compression of [1, 2, 3, 4, 0]) {
      const messages = Array.from({length: 50}, (_, i) => ({
        key: `k${i}`,
        value: 'some text '.repeat(20),
        headers: {h: 'v'},
      }));
      await producer.send({topic, compression, messages});
    }
    await producer.send({topic, messages: [{key: 'k', value: 'end'}]});
    const read = await collect(log.read({topic, partition: 0, fromOffset: 0n, toOffset: 251n}));
    expect(read.map(r => r.offset)).toEqual(range(0, 251));
    const events = await pullAll(log, topic);
    expect(events.flatMap(e => (e.type === 'batch' ? e.records : []))).toEqual(read);
  });

  test('a batch that unpacks beyond 32 MiB becomes a range; records around it come', async () => {
    const {log, topic, producer} = await setUp('bomb');
    const value = Buffer.alloc(40_000);
    await sendFramed(
      producer,
      topic,
      kafkajs.CompressionTypes.GZIP,
      Array.from({length: 1_000}, () => ({key: 'k', value})),
    );
    const seen = kinds(await pullAll(log, topic));
    expect(seen).toEqual([
      'records 0-0',
      'unreadable 1-1000: the batch unpacks to more than 33554432 bytes',
      'records 1001-1001',
    ]);
    const around = await collect(log.read({topic, partition: 0, fromOffset: 0n, toOffset: 1002n}));
    expect(around.map(r => r.offset)).toEqual([0n, 1001n]);
  });

  test('damaged compressed bytes become a range', async () => {
    const {log, topic, producer} = await setUp('damaged');
    const own = kafkajs.CompressionCodecs[kafkajs.CompressionTypes.LZ4];
    // The broker checks the batch's crc, which covers the packed bytes, and not what they unpack to.
    kafkajs.CompressionCodecs[kafkajs.CompressionTypes.LZ4] = () => ({
      ...LZ4,
      compress: async (encoder: {buffer: Buffer}) => {
        const packed = await LZ4.compress(encoder);
        return Buffer.concat([
          packed.subarray(0, 7),
          Buffer.alloc(packed.length - 11, 0x01),
          Buffer.alloc(4),
        ]);
      },
    });
    try {
      await producer.send({topic, messages: [{key: 'k', value: 'begin'}]});
      const refused = await producer
        .send({
          topic,
          compression: kafkajs.CompressionTypes.LZ4,
          messages: [{key: 'k', value: 'y'.repeat(500)}],
        })
        .then(
          () => false,
          () => true,
        );
      await producer.send({topic, messages: [{key: 'k', value: 'end'}]});
      const seen = kinds(await pullAll(log, topic));
      // LogAppendTime topics are unpacked by the broker, which may refuse first.
      if (refused) expect(seen.join()).toMatch(/records 0-1$|records 0-0,records 1-1/);
      else expect(seen[1]).toMatch(/^unreadable 1-1: /);
    } finally {
      kafkajs.CompressionCodecs[kafkajs.CompressionTypes.LZ4] = own;
    }
  });

  test('a codec whose package is missing becomes a range that names the package', async () => {
    const {log, topic, producer} = await setUp('missing');
    const own = kafkajs.CompressionCodecs[kafkajs.CompressionTypes.Snappy];
    await sendFramed(producer, topic, kafkajs.CompressionTypes.Snappy, [
      {key: 'k', value: 'a'},
      {key: 'k', value: 'b'},
    ]);
    kafkajs.CompressionCodecs[kafkajs.CompressionTypes.Snappy] = () => ({
      compress: () => Promise.reject(new Error('unused')),
      decompress: () =>
        Promise.reject(new Error('codec snappy needs the package snappy: npm install snappy')),
    });
    try {
      expect(kinds(await pullAll(log, topic))).toEqual([
        'records 0-0',
        'unreadable 1-2: codec snappy needs the package snappy: npm install snappy',
        'records 3-3',
      ]);
    } finally {
      kafkajs.CompressionCodecs[kafkajs.CompressionTypes.Snappy] = own;
    }
  });

  test('aborted transactions and control records are neither delivered nor a gap', async () => {
    const counted: string[] = [];
    const metrics = {...NO_METRICS, count: (name: string) => counted.push(name)};
    const {topic} = await setUp('transactions');
    const log = await openKafkaEventLog({
      brokers,
      clientId: 'tx',
      fetchWaitMs: 50,
      clock: systemClock,
      logger: SILENT_LOGGER,
      metrics,
    });
    opened.unshift(log);
    const kafka = new kafkajs.Kafka({brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING});
    const producer = kafka.producer({
      transactionalId: topic,
      maxInFlightRequests: 1,
      idempotent: true,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    opened.push({close: () => producer.disconnect()});
    for (const [value, commits] of [
      ['kept', true],
      ['aborted', false],
      ['kept too', true],
      ['aborted', false],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({topic, messages: [{key: 'k', value}]});
      await (commits ? transaction.commit() : transaction.abort());
    }
    await log.append(topic, [{key: 'k', value: bytes('end')}]);
    const events = await pullAll(log, topic);
    const values = events.flatMap(e =>
      e.type === 'batch' ? e.records.map(r => Buffer.from(r.value).toString()) : [],
    );
    expect(values).toEqual(['kept', 'kept too', 'end']);
    expect(counted).toEqual([]);
  });
});
