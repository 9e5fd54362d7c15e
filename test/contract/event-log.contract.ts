import {afterEach, describe, expect, test} from 'vitest';
import type {Clock} from '../../src/core/clock.ts';
import {epochMs} from '../../src/core/units.ts';
import type {
  ConsumerEvent,
  ConsumerOptions,
  EventLog,
  LogConsumer,
  LogRecord,
  TopicSpec,
} from '../../src/log/event-log.ts';
import {partitionOf} from '../../src/log/partitioner.ts';

/** The operating system's clock, for adapters under test. */
export const systemClock: Clock = {
  now: () => epochMs(Date.now()),
  sleep: (ms, signal) =>
    new Promise(resolve => {
      if (signal?.aborted === true) return resolve();
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    }),
};

export type ContractOptions = {
  /** How long an event that must come may take, and how long silence is watched. */
  readonly patienceMs?: number;
  readonly silenceMs?: number;
  /** Closes the log and opens the same storage again; left out where nothing is durable. */
  readonly reopen?: (log: EventLog) => Promise<EventLog>;
  /** Recreates a topic; left out where the adapter cannot. */
  readonly recreate?: (log: EventLog, spec: TopicSpec) => Promise<void>;
};

let topicCount = 0;

/**
 * What every {@link EventLog} adapter guarantees. An adapter's own test file
 * calls this with a factory and adds only what is special to the adapter.
 * Topics have names of their own, so tests may share one broker.
 */
export function describeEventLogContract(
  name: string,
  openLog: () => Promise<EventLog>,
  options: ContractOptions = {},
): void {
  const {patienceMs = 5_000, silenceMs = 100, reopen, recreate} = options;
  const opened: EventLog[] = [];
  const open = async (): Promise<EventLog> => {
    const log = await openLog();
    opened.push(log);
    return log;
  };
  const setUp = async (spec: Partial<TopicSpec> = {}): Promise<{log: EventLog; topic: string}> => {
    const log = await open();
    const topic = `contract-${process.pid}-${topicCount++}-${Date.now()}`;
    await log.createTopic({topic, partitions: 1, clock: 'log', retentionMs: null, ...spec});
    return {log, topic};
  };

  describe(`EventLog contract: ${name}`, () => {
    afterEach(async () => {
      for (const log of opened.splice(0)) await log.close();
    });

    describe('topics', () => {
      test('an unknown topic is described as undefined and refused elsewhere', async () => {
        const {log} = await setUp();
        expect(await log.describeTopic('nowhere')).toBeUndefined();
        const missing = {code: 'ASSAY_LOG_TOPIC_MISSING'};
        await expect(log.append('nowhere', [{key: 'k', value: bytes('v')}])).rejects.toMatchObject(missing);
        await expect(log.openConsumer(consumerOf('nowhere'))).rejects.toMatchObject(missing);
        await expect(log.offsets('nowhere')).rejects.toMatchObject(missing);
        await expect(log.committed('nowhere', 'g')).rejects.toMatchObject(missing);
        const read = log.read({topic: 'nowhere', partition: 0, fromOffset: 0n, toOffset: 1n});
        await expect(collect(read)).rejects.toMatchObject(missing);
      });

      test('creating a topic again resolves when partitions and clock are the same, and is refused otherwise', async () => {
        const {log, topic} = await setUp({partitions: 3, clock: 'producer'});
        const same = {topic, partitions: 3, clock: 'producer', retentionMs: null} as const;
        await log.createTopic(same);
        expect(await log.describeTopic(topic)).toMatchObject({
          topic,
          partitions: 3,
          clock: 'producer',
          logEpoch: expect.any(Number),
        });
        expect(await log.listTopics()).toContain(topic);
        const refused = {code: 'ASSAY_CONFIG_INVALID'};
        await expect(log.createTopic({...same, partitions: 4})).rejects.toMatchObject(refused);
        await expect(log.createTopic({...same, clock: 'log'})).rejects.toMatchObject(refused);
        await expect(log.createTopic({...same, topic: '../x'})).rejects.toMatchObject(refused);
      });
    });

    describe('append', () => {
      test('resolves with positions in the order given; a key is always in its murmur2 partition', async () => {
        const {log, topic} = await setUp({partitions: 4});
        const keys = Array.from({length: 40}, (_, i) => `user-${i % 10}-ü`);
        const appended = await log.append(
          topic,
          keys.map(key => ({key, value: bytes(key)})),
        );
        expect(appended.map(a => a.partition)).toEqual(keys.map(key => partitionOf(key, 4)));
        const next = [0n, 0n, 0n, 0n];
        for (const {partition, offset} of appended) {
          expect(offset).toBe(next[partition]);
          next[partition] = offset + 1n;
        }
        expect((await log.offsets(topic)).map(o => o.end)).toEqual(next);
        expect(await log.append(topic, [])).toEqual([]);
      });

      test('a given partition overrides the key; a record keeps its key, value and headers', async () => {
        const {log, topic} = await setUp({partitions: 3});
        const headers = {traceparent: '00-ab-cd-01', 'x-ü': 'ß'};
        await log.append(topic, [
          {key: 'k', value: bytes('one'), partition: 2, headers},
          {key: null, value: bytes(''), partition: 2},
          {key: '', value: Uint8Array.of(0, 255, 128), partition: 2},
        ]);
        const [a, b, c] = (await readAll(log, topic, 2)) as [LogRecord, LogRecord, LogRecord];
        expect([a.key, text(a.value), a.headers]).toEqual(['k', 'one', headers]);
        expect([b.key, b.value.length, b.headers]).toEqual([null, 0, {}]);
        expect([c.key, [...c.value]]).toEqual(['', [0, 255, 128]]);
        await expect(log.append(topic, [{key: 'k', value: bytes('x'), partition: 3}])).rejects.toMatchObject({
          code: 'ASSAY_LOG_TOPIC_MISSING',
        });
        await expect(log.append(topic, [{key: null, value: bytes('x')}])).rejects.toThrow(
          'names its partition',
        );
      });

      test('copies values before it resolves', async () => {
        const {log, topic} = await setUp();
        const value = bytes('before');
        await log.append(topic, [{key: 'k', value}]);
        value.fill(0);
        expect((await readAll(log, topic, 0)).map(r => text(r.value))).toEqual(['before']);
      });

      test('clock = log stamps records itself; clock = producer keeps their timestamp, also far ahead', async () => {
        const {log, topic} = await setUp({clock: 'log'});
        const past = epochMs(1_600_000_000_000);
        await log.append(topic, [{key: 'k', value: bytes('v'), timestamp: past}]);
        const [stamped] = await readAll(log, topic, 0);
        expect(stamped?.timestamp).toBeGreaterThan(past);

        const imported = `${topic}-imported`;
        await log.createTopic({topic: imported, partitions: 1, clock: 'producer', retentionMs: null});
        const future = epochMs(4_000_000_000_000);
        const times = [future, past, epochMs(1), future];
        await log.append(
          imported,
          times.map(timestamp => ({key: 'k', value: bytes('v'), timestamp})),
        );
        expect((await readAll(log, imported, 0)).map(r => r.timestamp)).toEqual(times);
      });

      test('concurrent appends are each whole and contiguous', async () => {
        const {log, topic} = await setUp();
        const batches = Array.from({length: 20}, (_, b) =>
          Array.from({length: 7}, (_, i) => ({key: 'k', value: bytes(`${b}:${i}`)})),
        );
        const appended = await Promise.all(batches.map(batch => log.append(topic, batch)));
        const stored = await readAll(log, topic, 0);
        expect(stored.map(r => r.offset)).toEqual(stored.map((_, i) => BigInt(i)));
        expect(stored).toHaveLength(140);
        appended.forEach((positions, b) => {
          positions.forEach(({offset}, i) => {
            expect(offset - (positions[0]?.offset ?? 0n)).toBe(BigInt(i));
            expect(text(stored[Number(offset)]?.value)).toBe(`${b}:${i}`);
          });
        });
      });
    });

    describe('read', () => {
      test('gives [fromOffset, toOffset) once, in order, without a group', async () => {
        const {log, topic} = await setUp({partitions: 2});
        await log.append(topic, numbered(2_500, 1));
        const read = log.read({topic, partition: 1, fromOffset: 10n, toOffset: 2_400n});
        const offsets = (await collect(read)).map(r => r.offset);
        expect(offsets).toEqual(Array.from({length: 2_390}, (_, i) => BigInt(i + 10)));
        expect(await collect(log.read({topic, partition: 0, fromOffset: 0n, toOffset: 0n}))).toEqual([]);
      });

      test('tails until the signal aborts', async () => {
        const {log, topic} = await setUp();
        const stop = new AbortController();
        const seen: string[] = [];
        await log.append(topic, [{key: 'k', value: bytes('old')}]);
        const done = (async () => {
          for await (const records of log.read({topic, partition: 0, fromOffset: 0n, signal: stop.signal})) {
            seen.push(...records.map(r => text(r.value)));
            if (seen.length === 1) void log.append(topic, [{key: 'k', value: bytes('new')}]);
            if (seen.length === 2) stop.abort();
          }
        })();
        await done;
        expect(seen).toEqual(['old', 'new']);
      });
    });

    describe('consumers', () => {
      test('assigned first, then batches from the first offset, in order, within batchRecordsMax', async () => {
        const {log, topic} = await setUp({partitions: 2});
        await log.append(topic, [...numbered(25, 0), ...numbered(5, 1)]);
        const consumer = await log.openConsumer(consumerOf(topic, {batchRecordsMax: 10}));
        const first = await must(consumer, patienceMs);
        expect(first).toMatchObject({type: 'assigned', logEpoch: expect.any(Number)});
        expect(startsOf(first)).toEqual([
          [0, 0n],
          [1, 0n],
        ]);
        const {records, batchMax} = await pull(consumer, 30, patienceMs);
        expect(records.filter(r => r.partition === 0).map(r => r.offset)).toEqual(range(0, 25));
        expect(records.filter(r => r.partition === 1).map(r => r.offset)).toEqual(range(0, 5));
        expect(batchMax).toBeLessThanOrEqual(10);
        expect(consumer.endOffsets()).toEqual(
          new Map([
            [0, 25n],
            [1, 5n],
          ]),
        );
        expect(await consumer.next(silenceMs)).toBeUndefined();
      });

      test('an append wakes a waiting consumer', async () => {
        const {log, topic} = await setUp();
        const consumer = await log.openConsumer(consumerOf(topic));
        expect((await must(consumer, patienceMs)).type).toBe('assigned');
        const waiting = must(consumer, patienceMs);
        await log.append(topic, [{key: 'k', value: bytes('v')}]);
        expect((await waiting).type).toBe('batch');
      });

      test('a group begins again at its committed offset; other groups are not touched', async () => {
        const {log, topic} = await setUp();
        await log.append(topic, numbered(10, 0));
        const first = await log.openConsumer(consumerOf(topic));
        await must(first, patienceMs);
        await pull(first, 10, patienceMs);
        expect(await log.committed(topic, 'contract')).toEqual([null]);
        await first.confirm((await log.describeTopic(topic))?.logEpoch ?? 0);
        await first.commit([{partition: 0, offset: 4n}]);
        expect(await log.committed(topic, 'contract')).toEqual([4n]);
        await first.close();

        const second = await log.openConsumer(consumerOf(topic));
        expect(startsOf(await must(second, patienceMs))).toEqual([[0, 4n]]);
        expect((await pull(second, 6, patienceMs)).records.map(r => r.offset)).toEqual(range(4, 10));
        await second.close();
        expect(await log.committed(topic, 'other')).toEqual([null]);
        const other = await log.openConsumer(consumerOf(topic, {group: 'other'}));
        expect(startsOf(await must(other, patienceMs))).toEqual([[0, 0n]]);
      });

      test('a paused partition delivers nothing new until it is resumed', async () => {
        const {log, topic} = await setUp({partitions: 2});
        const consumer = await log.openConsumer(consumerOf(topic));
        await must(consumer, patienceMs);
        consumer.pause([0]);
        // What was fetched before the pause may still come; nothing was.
        await log.append(topic, [...numbered(3, 0), ...numbered(3, 1)]);
        const {records} = await pull(consumer, 3, patienceMs);
        expect(records.map(r => r.partition)).toEqual([1, 1, 1]);
        expect(await consumer.next(silenceMs)).toBeUndefined();
        // Nothing is fetched from it, and its lag is known all the same.
        await expect.poll(() => consumer.endOffsets().get(0), {timeout: patienceMs, interval: 100}).toBe(3n);
        consumer.resume([0]);
        expect((await pull(consumer, 3, patienceMs)).records.map(r => r.offset)).toEqual(range(0, 3));
      });

      test('two members share the partitions; each record goes to the owner; the rest moves back on leave', async () => {
        const {log, topic} = await setUp({partitions: 4});
        const a = await log.openConsumer(consumerOf(topic));
        expect(partitionsOf(await must(a, patienceMs))).toEqual([0, 1, 2, 3]);
        const b = await log.openConsumer(consumerOf(topic));
        const [shareA, shareB] = await Promise.all([
          settle(a, patienceMs, partitions => partitions.length === 2),
          settle(b, patienceMs, partitions => partitions.length === 2),
        ]);
        expect([...shareA, ...shareB].sort()).toEqual([0, 1, 2, 3]);

        await log.append(
          topic,
          [0, 1, 2, 3].flatMap(partition => numbered(2, partition)),
        );
        const [gotA, gotB] = await Promise.all([pull(a, 4, patienceMs), pull(b, 4, patienceMs)]);
        expect(new Set(gotA.records.map(r => r.partition))).toEqual(new Set(shareA));
        expect(new Set(gotB.records.map(r => r.partition))).toEqual(new Set(shareB));
        await b.commit(shareB.map(partition => ({partition, offset: 2n})));
        await b.close();
        await settle(a, patienceMs, partitions => partitions.length === 4);
        // Uncommitted records come again, committed ones do not.
        const again = await pull(a, 4, patienceMs);
        expect(new Set(again.records.map(r => r.partition))).toEqual(new Set(shareA));
      });

      test('a rebalance says revoked, then assigned; commits of the earlier assignment are refused', async () => {
        const {log, topic} = await setUp({partitions: 2});
        await log.append(topic, [...numbered(3, 0), ...numbered(3, 1)]);
        const a = await log.openConsumer(consumerOf(topic));
        await must(a, patienceMs);
        await pull(a, 6, patienceMs);
        const b = await log.openConsumer(consumerOf(topic));
        expect(await nextOf(a, 'revoked', patienceMs)).toEqual({type: 'revoked', partitions: [0, 1]});
        await expect(
          a.commit([
            {partition: 0, offset: 3n},
            {partition: 1, offset: 3n},
          ]),
        ).rejects.toMatchObject({code: 'ASSAY_LOG_FENCED'});
        const [kept] = await settle(a, patienceMs, partitions => partitions.length === 1);
        await settle(b, patienceMs, partitions => partitions.length === 1);
        const lost = kept === 0 ? 1 : 0;
        await expect(a.commit([{partition: lost, offset: 3n}])).rejects.toMatchObject({
          code: 'ASSAY_LOG_FENCED',
        });
        await a.commit([{partition: kept ?? 0, offset: 3n}]);
        expect((await log.committed(topic, 'contract'))[lost]).toBeNull();
      });

      test('a member beyond the number of partitions is assigned nothing', async () => {
        const {log, topic} = await setUp({partitions: 1});
        const a = await log.openConsumer(consumerOf(topic));
        await must(a, patienceMs);
        const b = await log.openConsumer(consumerOf(topic));
        const shares = await Promise.all([
          settle(a, patienceMs, partitions => partitions.length <= 1),
          settle(b, patienceMs, partitions => partitions.length <= 1),
        ]);
        expect(shares.flat()).toHaveLength(1);
      });

      test('close is idempotent, ends next, and refuses commits', async () => {
        const {log, topic} = await setUp();
        const consumer = await log.openConsumer(consumerOf(topic));
        await must(consumer, patienceMs);
        const waiting = consumer.next(patienceMs * 10);
        await consumer.close();
        await consumer.close();
        expect(await waiting).toBeUndefined();
        expect(await consumer.next(patienceMs)).toBeUndefined();
        await expect(consumer.commit([{partition: 0, offset: 0n}])).rejects.toMatchObject({
          code: 'ASSAY_LOG_FENCED',
        });
      });

      test('bufferBytesMax bounds a batch, and the first record comes whatever its size', async () => {
        const {log, topic} = await setUp();
        const value = new Uint8Array(40_000);
        await log.append(
          topic,
          Array.from({length: 6}, () => ({key: 'k', value})),
        );
        const consumer = await log.openConsumer(consumerOf(topic, {bufferBytesMax: 30_000}));
        await must(consumer, patienceMs);
        expect((await pull(consumer, 6, patienceMs)).records.map(r => r.offset)).toEqual(range(0, 6));
      });
    });

    if (reopen !== undefined)
      describe('durability', () => {
        test('topics, records and commits are there after reopening', async () => {
          const {log, topic} = await setUp({partitions: 2, clock: 'producer'});
          const [at] = await log.append(topic, [
            {key: 'k', value: bytes('v'), timestamp: epochMs(7), headers: {a: 'b'}},
          ]);
          const partition = at?.partition ?? 0;
          const consumer = await log.openConsumer(consumerOf(topic));
          await must(consumer, patienceMs);
          await consumer.commit([{partition, offset: 1n}]);
          const before = await log.describeTopic(topic);
          const again = await reopen(log);
          opened.push(again);
          expect(await again.describeTopic(topic)).toEqual(before);
          const [record] = await readAll(again, topic, partition);
          expect(record).toMatchObject({partition, offset: 0n, timestamp: 7, key: 'k', headers: {a: 'b'}});
          expect((await again.committed(topic, 'contract'))[partition]).toBe(1n);
          const [next] = await again.append(topic, [{key: 'k', value: bytes('w')}]);
          expect(next).toEqual({partition, offset: 1n});
        });
      });

    if (recreate !== undefined)
      describe('recreation', () => {
        test('a recreated topic is empty, has a higher epoch, and its group begins at 0', async () => {
          const {log, topic} = await setUp();
          await log.append(topic, numbered(5, 0));
          const consumer = await log.openConsumer(consumerOf(topic));
          const first = await must(consumer, patienceMs);
          await pull(consumer, 5, patienceMs);
          await consumer.commit([{partition: 0, offset: 5n}]);
          await recreate(log, {topic, partitions: 1, clock: 'log', retentionMs: null});
          expect(await nextOf(consumer, 'revoked', patienceMs)).toMatchObject({partitions: [0]});
          const second = await nextOf(consumer, 'assigned', patienceMs);
          expect(startsOf(second)).toEqual([[0, 0n]]);
          expect(epochOf(second)).toBeGreaterThan(epochOf(first));
          expect((await log.describeTopic(topic))?.logEpoch).toBe(epochOf(second));
          expect(await log.committed(topic, 'contract')).toEqual([null]);
        });
      });
  });
}

export const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
export const text = (value: Uint8Array | undefined): string => new TextDecoder().decode(value);
export const range = (from: number, to: number): bigint[] =>
  Array.from({length: to - from}, (_, i) => BigInt(from + i));

export const consumerOf = (topic: string, more: Partial<ConsumerOptions> = {}): ConsumerOptions => ({
  topic,
  group: 'contract',
  batchRecordsMax: 1_000,
  bufferBytesMax: 1024 * 1024,
  ...more,
});

/** `count` records for one partition, each holding its number. */
export const numbered = (count: number, partition: number) =>
  Array.from({length: count}, (_, i) => ({key: `k${i}`, value: bytes(`${i}`), partition}));

export async function collect(read: AsyncIterable<readonly LogRecord[]>): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  for await (const records of read) all.push(...records);
  return all;
}

export async function readAll(log: EventLog, topic: string, partition: number): Promise<LogRecord[]> {
  const offsets = (await log.offsets(topic))[partition];
  if (offsets === undefined) throw new Error(`no partition ${partition}`);
  return collect(log.read({topic, partition, fromOffset: offsets.start, toOffset: offsets.end}));
}

/** The next event, which must come. */
export async function must(consumer: LogConsumer, patienceMs: number): Promise<ConsumerEvent> {
  const event = await consumer.next(patienceMs);
  if (event === undefined) throw new Error(`no event within ${patienceMs} ms`);
  return event;
}

/** The next event of a type; others are skipped. */
export async function nextOf(
  consumer: LogConsumer,
  type: ConsumerEvent['type'],
  patienceMs: number,
): Promise<ConsumerEvent> {
  for (;;) {
    const event = await must(consumer, patienceMs);
    if (event.type === type) return event;
  }
}

/** Pulls batches until `count` records came. */
export async function pull(
  consumer: LogConsumer,
  count: number,
  patienceMs: number,
): Promise<{records: LogRecord[]; batchMax: number}> {
  const records: LogRecord[] = [];
  let batchMax = 0;
  while (records.length < count) {
    const event = await must(consumer, patienceMs);
    if (event.type !== 'batch') continue;
    batchMax = Math.max(batchMax, event.records.length);
    for (const {partition, offset, timestamp, key, headers, value} of event.records)
      records.push({partition, offset, timestamp, key, headers, value: Uint8Array.from(value)});
  }
  return {records, batchMax};
}

/** Follows assignments until one satisfies, ignoring batches. */
export async function settle(
  consumer: LogConsumer,
  patienceMs: number,
  isDone: (partitions: readonly number[]) => boolean,
): Promise<readonly number[]> {
  for (;;) {
    const partitions = partitionsOf(await nextOf(consumer, 'assigned', patienceMs));
    if (isDone(partitions)) return partitions;
  }
}

export const partitionsOf = (event: ConsumerEvent): readonly number[] =>
  event.type === 'assigned' ? event.partitions.map(p => p.partition).sort() : [];

const startsOf = (event: ConsumerEvent): [number, bigint][] =>
  event.type === 'assigned'
    ? event.partitions.map((p): [number, bigint] => [p.partition, p.startOffset]).sort(([a], [b]) => a - b)
    : [];

const epochOf = (event: ConsumerEvent): number => (event.type === 'assigned' ? event.logEpoch : 0);
