import {createRequire} from 'node:module';
import {gzipSync} from 'node:zlib';
import type {KafkaMessage} from 'kafkajs';
import {expect, test} from 'vitest';
import {registerCodecs} from '../../../src/log/kafka/codecs.ts';
import {replaceFetchDecoder} from '../../../src/log/kafka/fetched-batches.ts';
import {toEvents} from '../../../src/log/kafka/to-records.ts';

const require = createRequire(import.meta.url);
registerCodecs();
// As if another module had fetched before.
require('kafkajs/src/protocol/requests/fetch/v11/response.js');
replaceFetchDecoder();
replaceFetchDecoder();

type Response = {responses: {partitions: {messages: KafkaMessage[]}[]}[]};
const {decode} = require('kafkajs/src/protocol/requests/fetch/v11/response.js') as {
  decode: (bytes: Buffer) => Promise<Response>;
};

const int = (bytes: number, value: number): Buffer => {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 8) buffer.writeBigInt64BE(BigInt(value));
  else buffer.writeIntBE(value, 0, bytes);
  return buffer;
};

function varint(value: number): Buffer {
  const out: number[] = [];
  for (let rest = value * 2; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...out, rest]);
    out.push((rest % 128) + 128);
  }
}

function recordOf(offsetDelta: number): Buffer {
  const body = Buffer.concat([
    Buffer.from([0, 0]),
    varint(offsetDelta),
    Buffer.from([1]),
    varint(1),
    Buffer.from('x'),
    Buffer.from([0]),
  ]);
  return Buffer.concat([varint(body.length), body]);
}

/** A record batch of `records` tiny records (format 2). */
function batchOf(firstOffset: number, records: number, codec = 0, packed?: Buffer): Buffer {
  const plain = Buffer.concat(Array.from({length: records}, (_, i) => recordOf(i)));
  const rest = Buffer.concat([
    int(4, 0),
    Buffer.from([2]),
    int(4, 0),
    int(2, codec),
    int(4, records - 1),
    int(8, 1_000),
    int(8, 2_000),
    int(8, -1),
    int(2, -1),
    int(4, -1),
    int(4, records),
    packed ?? plain,
  ]);
  return Buffer.concat([int(8, firstOffset), int(4, rest.length), rest]);
}

async function fetched(...batches: Buffer[]): Promise<KafkaMessage[]> {
  const set = Buffer.concat(batches);
  const topic = Buffer.from('t');
  const response = Buffer.concat([
    int(4, 0),
    int(2, 0),
    int(4, 0),
    int(4, 1),
    int(2, topic.length),
    topic,
    int(4, 1),
    int(4, 0),
    int(2, 0),
    int(8, 9),
    int(8, 9),
    int(8, 0),
    int(4, -1),
    int(4, -1),
    int(4, set.length),
    set,
  ]);
  const {responses} = await decode(response);
  return responses[0]?.partitions[0]?.messages ?? [];
}

/** `first…last` of each stretch of records, and the ranges that could not be read. */
const told = (messages: readonly KafkaMessage[], from = 0n): unknown[] =>
  toEvents(3, messages, from).map(event =>
    event.type === 'batch'
      ? `${event.records[0]?.offset}…${event.records.at(-1)?.offset}`
      : [event.firstOffset, event.lastOffset, event.timestamp, event.reason],
  );

test('a batch of 200 000 records, which kafkajs itself dies of, is read', async () => {
  const messages = await fetched(
    batchOf(7, 200_000, 1, gzipSync(batchOf(0, 200_000).subarray(61))),
    batchOf(200_007, 1),
  );
  const [event] = toEvents(3, messages, 0n);
  expect(event?.type === 'batch' && event.records.map(({offset}) => Number(offset))).toEqual(
    Array.from({length: 200_001}, (_, index) => index + 7),
  );
});

test.each([
  ['a codec number of the future', batchOf(10, 5, 6), /codec 6 is unknown/],
  ['bytes that do not unpack', batchOf(10, 5, 1, Buffer.from('garbage')), /incorrect header/],
  ['records cut short', batchOf(10, 5, 0, recordOf(0)), /in the middle of a number/],
  ['a record longer than its batch', batchOf(10, 1, 0, Buffer.from([200, 1, 0, 0, 0])), /in the middle of a record/],
  ['a record longer than it says', batchOf(10, 1, 0, Buffer.from([8, 0, 0, 0, 1, 2, 120, 0])), /in the middle of itself/],
  [
    'a count beyond its offsets',
    Buffer.from(batchOf(10, 5)).fill(int(4, 2_000_000_000), 57, 61),
    /more records than offsets/,
  ],
])('%s is a range between the batches around it', async (_, bad, reason) => {
  const last = 10n + BigInt(bad.readInt32BE(23));
  const messages = await fetched(batchOf(8, 2), bad, batchOf(15, 1));
  expect(messages.map(message => message.offset)).toEqual(['9', `${last}`, '15']);
  expect(told(messages)).toEqual(['8…9', [10n, last, 2_000, expect.stringMatching(reason)], '15…15']);
});

test('a batch that the broker cut at the end of its answer is left for the next fetch', async () => {
  const messages = await fetched(batchOf(0, 2), batchOf(2, 3).subarray(0, 70));
  expect(told(messages)).toEqual(['0…1']);
});

test('a fetch from the middle of a batch gives the records from there on', async () => {
  const messages = await fetched(batchOf(0, 10), batchOf(10, 2));
  expect(told(messages, 7n)).toEqual(['7…11']);
});

test('keys, headers, times and missing values are as kafkajs itself reads them', async () => {
  const header = (name: string, value: string | null): Buffer[] => [
    varint(name.length), Buffer.from(name),
    ...(value === null ? [Buffer.from([1])] : [varint(Buffer.byteLength(value)), Buffer.from(value)]),
  ];
  const recordWith = (offsetDelta: number, timestampDelta: number, key: string | null, value: Buffer | null, headers: Buffer[][]): Buffer => {
    const body = Buffer.concat([
      Buffer.from([0]), varint(timestampDelta), varint(offsetDelta),
      ...(key === null ? [Buffer.from([1])] : [varint(Buffer.byteLength(key)), Buffer.from(key)]),
      ...(value === null ? [Buffer.from([1])] : [varint(value.length), value]),
      varint(headers.length), ...headers.flat(),
    ]);
    return Buffer.concat([varint(body.length), body]);
  };
  const records = Buffer.concat([
    recordWith(0, 0, 'ü-1', Buffer.from('value'), [header('a', '1'), header('a', 'ß'), header('none', null)]),
    recordWith(2, 300, null, null, []),
    recordWith(3, 70_000, '', Buffer.alloc(200, 7), []),
  ]);
  for (const attributes of [0, 8]) {
    const batch = Buffer.from(batchOf(40, 4, attributes, records)).fill(int(4, 3), 57, 61);
    const [event] = toEvents(3, await fetched(batch), 0n);
    // With the transactional bit the batch goes the library's way.
    const [theirs] = toEvents(3, await fetched(Buffer.from(batch).fill(int(2, attributes | 0x10), 21, 23)), 0n);
    const plain = (found: typeof event): unknown => {
      if (found?.type !== 'batch') return found;
      return found.records.map(({partition, offset, timestamp, key, value, headers}) => {
        return {partition, offset, timestamp, key, value: [...value], headers};
      });
    };
    expect(plain(event)).toEqual(plain(theirs));
    expect(event?.type === 'batch' && event.records.map(({key, headers}) => [key, headers])).toEqual([
      ['ü-1', {a: 'ß', none: ''}], [null, {}], ['', {}],
    ]);
  }
});
