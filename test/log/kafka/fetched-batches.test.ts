import {createRequire} from 'node:module';
import {gzipSync} from 'node:zlib';
import type {KafkaMessage} from 'kafkajs';
import {expect, test} from 'vitest';
import {registerCodecs} from '../../../src/log/kafka/codecs.ts';
import {replaceFetchDecoder, unreadableOf} from '../../../src/log/kafka/fetched-batches.ts';

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

test('a batch of 200 000 records, which kafkajs itself dies of, is read', async () => {
  const messages = await fetched(
    batchOf(7, 200_000, 1, gzipSync(batchOf(0, 200_000).subarray(61))),
    batchOf(200_007, 1),
  );
  expect(messages).toHaveLength(200_001);
  expect(messages.at(-2)?.offset).toBe('200006');
  expect(messages.at(-1)?.offset).toBe('200007');
});

test.each([
  ['a codec number of the future', batchOf(10, 5, 6), /codec 6 is unknown/],
  ['bytes that do not unpack', batchOf(10, 5, 1, Buffer.from('garbage')), /incorrect header/],
  ['records cut short', batchOf(10, 5, 0, recordOf(0)), /out of range|outside buffer/i],
  [
    'a count beyond its offsets',
    Buffer.from(batchOf(10, 5)).fill(int(4, 2_000_000_000), 57, 61),
    /more records than offsets/,
  ],
])('%s is a range between the batches around it', async (_, bad, reason) => {
  const messages = await fetched(batchOf(8, 2), bad, batchOf(15, 1));
  expect(messages.map(message => message.offset)).toEqual(['8', '9', '14', '15']);
  const [a, b, range, c] = messages;
  for (const message of [a, b, c]) expect(message && unreadableOf(message)).toBeUndefined();
  expect(range && unreadableOf(range)).toEqual({
    firstOffset: 10n,
    lastOffset: 14n,
    reason: expect.stringMatching(reason),
  });
  expect(range?.timestamp).toBe('2000');
});

test('a batch that the broker cut at the end of its answer is left for the next fetch', async () => {
  const messages = await fetched(batchOf(0, 2), batchOf(2, 3).subarray(0, 70));
  expect(messages.map(message => message.offset)).toEqual(['0', '1']);
});
