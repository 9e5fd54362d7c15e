import {createRequire} from 'node:module';
import {afterEach, expect, test} from 'vitest';
import type {Clock} from '../../../src/core/clock.ts';
import {NO_METRICS, SILENT_LOGGER} from '../../../src/core/telemetry.ts';
import {epochMs} from '../../../src/core/units.ts';
import type {LogConsumer} from '../../../src/log/event-log.ts';
import {openKafkaEventLog} from '../../../src/log/kafka/kafka-event-log.ts';
import {KAFKA_LIMITS} from '../../../src/log/kafka/kafka-options.ts';
import {consumerOf, must, numbered, systemClock} from '../../contract/event-log.contract.ts';
import {withKafka} from '../../helpers/kafka.ts';

type Join = (...request: unknown[]) => Promise<unknown>;
const load = createRequire(import.meta.url);
const {prototype: broker} = load('kafkajs/src/broker') as {prototype: {joinGroup: Join}};
const {createErrorFromCode} = load('kafkajs/src/protocol/error') as {createErrorFromCode: (code: number) => Error};
const joinGroup = broker.joinGroup;

/** Codes of the protocol. */
const LOADING = 14;
const INCONSISTENT_PROTOCOL = 23;
const PATIENCE_MS = 20_000;
const FENCED = {code: 'ASSAY_LOG_FENCED'};

/** Requests to join are answered with these errors first, then by the broker. The client itself is the real one. */
function answerJoins(answers: number[]): {asked: number} {
  const joins = {asked: 0};
  broker.joinGroup = async function (this: unknown, ...request) {
    joins.asked++;
    const code = answers.shift();
    if (code !== undefined) throw createErrorFromCode(code);
    return joinGroup.apply(this, request);
  };
  return joins;
}

await withKafka('a group coordinator that loads', brokers => {
  const opened: {close(): Promise<void>}[] = [];
  afterEach(async () => {
    broker.joinGroup = joinGroup;
    for (const one of opened.splice(0)) await one.close();
  });

  async function open(name: string, clock: Clock = systemClock): Promise<LogConsumer> {
    const log = await openKafkaEventLog({
      brokers,
      clientId: 'loading',
      fetchWaitMs: 50,
      clock,
      logger: SILENT_LOGGER,
      metrics: NO_METRICS,
    });
    opened.push(log);
    const topic = `loading-${process.pid}-${Date.now()}-${name}`;
    await log.createTopic({topic, partitions: 1, clock: 'log', retentionMs: null});
    await log.append(topic, numbered(3, 0));
    return log.openConsumer(consumerOf(topic, {group: `g-${topic}`}));
  }

  test('is waited for, and the assignment and its records come after it', async () => {
    const joins = answerJoins(Array(8).fill(LOADING));
    const consumer = await open('waited');
    expect(await must(consumer, PATIENCE_MS)).toMatchObject({type: 'assigned'});
    expect(await must(consumer, PATIENCE_MS)).toMatchObject({type: 'batch'});
    expect(joins.asked).toBeGreaterThan(8);
  });

  test('is given up after its time', async () => {
    const joins = answerJoins(Array(1_000).fill(LOADING));
    let ahead = 0;
    const consumer = await open('given-up', {...systemClock, now: () => epochMs(Date.now() + ahead)});
    while (joins.asked < 3) await systemClock.sleep(20);
    expect(await consumer.next(0)).toBeUndefined();
    ahead = KAFKA_LIMITS.coordinatorLoadMs + 1;
    await expect(consumer.next(PATIENCE_MS + ahead)).rejects.toMatchObject(FENCED);
  });

  test('is not asked any more once the consumer is closed', async () => {
    const joins = answerJoins(Array(1_000).fill(LOADING));
    const consumer = await open('closed');
    while (joins.asked < 2) await systemClock.sleep(20);
    await consumer.close();
    const before = joins.asked;
    await systemClock.sleep(1_000);
    expect(joins.asked).toBe(before);
  });

  test('any other end is one at once', async () => {
    const joins = answerJoins(Array(1_000).fill(INCONSISTENT_PROTOCOL));
    const consumer = await open('other');
    await expect(must(consumer, PATIENCE_MS)).rejects.toMatchObject(FENCED);
    expect(joins.asked).toBe(1);
  });
});
