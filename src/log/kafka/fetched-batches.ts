import {createRequire} from 'node:module';
import kafkajs, {type KafkaMessage} from 'kafkajs';
import {AssayError, messageOf} from '../../core/errors.ts';
import type {Codec} from './codecs.ts';
import {BATCH_HEADER_BYTES, type BatchHeader, readBatchHeader} from './record-batch.ts';

/**
 * Replaces the function by which kafkajs 2.2.4 takes a fetched partition apart.
 *
 * Its own one lets the consumer die, and die again after each restart, of a
 * record batch that it cannot decode (a codec is missing, unpacking fails or
 * reaches the limit) or that holds more than about 125 000 records (it spreads
 * them on the stack). Ours puts one marker in such a batch's place and goes on, so
 * that the range arrives as `unreadable` and the partition does not stop.
 *
 * Its own one also makes ten objects and three strings of each record. Ours hands on
 * a whole batch as one message, which `toEvents` reads record by record: that takes
 * the reading of a topic from 2.8 µs of CPU a record to 0.7. Topics with transactions
 * go the library's way, because it looks at each record to leave the aborted ones out.
 *
 * kafkajs has no hook for that: a codec does not learn the offsets of its batch,
 * and what it throws ends the consumer. The version is pinned in package.json;
 * `test/log/kafka/codecs.kafka.test.ts` fails if a new one has another layout.
 */
export function replaceFetchDecoder(): void {
  const path = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js');
  const loaded = require.cache[path];
  if (loaded?.exports === decodeFetched) return;
  original = require(path) as DecodeMessages;
  const own = require.cache[path];
  if (own === undefined)
    throw new AssayError('ASSAY_CONFIG_INVALID', 'kafkajs is not version 2.2.4: install the pinned one');
  own.exports = decodeFetched;
  // Whoever fetched before has loaded them with the library's own function; they are required anew for each fetch.
  for (const other of Object.keys(require.cache))
    if (RESPONSE_MODULE.test(other)) delete require.cache[other];
}

/** Which offsets could not be read, on the message that stands for them. */
export type Unreadable = {readonly firstOffset: bigint; readonly lastOffset: bigint; readonly reason: string};
export const unreadableOf = (message: KafkaMessage): Unreadable | undefined =>
  (message as Marked)[UNREADABLE];

/** A batch's records, unpacked and not yet read, on the message that stands for them. */
export type WholeBatch = {readonly header: BatchHeader; readonly records: Buffer};
export const wholeBatchOf = (message: KafkaMessage): WholeBatch | undefined => (message as Marked)[WHOLE];

const UNREADABLE: unique symbol = Symbol('unreadable');
const WHOLE: unique symbol = Symbol('whole batch');
type Marked = KafkaMessage & {readonly [UNREADABLE]?: Unreadable; readonly [WHOLE]?: WholeBatch};

const require = createRequire(import.meta.url);
type Decoder = {
  readInt32(): number;
  canReadBytes(bytes: number): boolean;
  readBytes(bytes: number): Buffer;
  offset: number;
};
type DecodeMessages = (decoder: Decoder) => Promise<KafkaMessage[]>;
let original: DecodeMessages | undefined;

const RESPONSE_MODULE = /kafkajs[\\/]src[\\/]protocol[\\/]requests[\\/]fetch[\\/]v\d+[\\/]response\.js$/;
const MAGIC_AT = 16;
const BATCH_PREFIX_BYTES = 12;
/** None, gzip, snappy, lz4, zstd. */
const CODECS = 5;
const TRANSACTION_OR_CONTROL = 0x30;

async function decodeFetched(decoder: Decoder): Promise<KafkaMessage[]> {
  const start = decoder.offset;
  const bytes = decoder.readInt32();
  if (bytes <= 0 || !decoder.canReadBytes(bytes)) return [];
  const set = decoder.readBytes(bytes);
  if (set.length > MAGIC_AT && set[MAGIC_AT] !== 2) {
    // Message sets of before Kafka 0.11.
    decoder.offset = start;
    return original === undefined ? [] : original(decoder);
  }
  const batches: Buffer[] = [];
  for (let at = 0; at + BATCH_HEADER_BYTES <= set.length; ) {
    const end = at + BATCH_PREFIX_BYTES + set.readInt32BE(at + 8);
    // The broker cuts the last batch where its answer is full.
    if (end > set.length || end < at + BATCH_HEADER_BYTES) break;
    batches.push(set.subarray(at, end));
    at = end;
  }
  const isPlain = batches.every(batch => (batch.readInt16BE(21) & TRANSACTION_OR_CONTROL) === 0);
  const messages: KafkaMessage[] = [];
  for (const batch of batches) for (const message of await decodeBatch(batch, isPlain)) messages.push(message);
  return messages;
}

async function decodeBatch(batch: Buffer, isPlain: boolean): Promise<KafkaMessage[]> {
  const header = readBatchHeader(batch);
  try {
    const codec = header.attributes & 7;
    if (codec >= CODECS) throw new Error(`codec ${codec} is unknown to this version`);
    if (BigInt(header.records) > header.lastOffset - header.baseOffset + 1n)
      throw new Error('the batch says it holds more records than offsets');
    if (isPlain) {
      const packed = batch.subarray(BATCH_HEADER_BYTES);
      const records = codec === 0 ? packed : await registered(codec).decompress(packed);
      return [standIn(header, {[WHOLE]: {header, records}})];
    }
    const {records: decoded} = await libraryDecoder()(new (libraryReader())(batch));
    return decoded;
  } catch (error) {
    const {baseOffset: firstOffset, lastOffset} = header;
    return [standIn(header, {[UNREADABLE]: {firstOffset, lastOffset, reason: messageOf(error)}})];
  }
}

/** As `registerCodecs` left it. */
const registered = (codec: number): Codec => (kafkajs.CompressionCodecs as Record<number, () => Codec>)[codec]?.() as Codec;

/** One message in the place of a batch, at its last offset, so that kafkajs goes on behind it. */
function standIn(header: BatchHeader, mark: Pick<Marked, typeof UNREADABLE | typeof WHOLE>): KafkaMessage {
  const {baseOffset, lastOffset, attributes, maxTimestamp, producerId} = header;
  const message = {
    ...mark,
    magicByte: 2,
    attributes: 0,
    timestamp: `${maxTimestamp}`,
    offset: `${lastOffset}`,
    key: null,
    value: null,
    headers: {},
    isControlRecord: (attributes & 0x20) !== 0,
    batchContext: {
      firstOffset: `${baseOffset}`,
      lastOffsetDelta: Number(lastOffset - baseOffset),
      producerId: `${producerId}`,
      inTransaction: (attributes & 0x10) !== 0,
      isControlBatch: (attributes & 0x20) !== 0,
    },
  };
  return message as unknown as KafkaMessage;
}

type Reader = new (bytes: Buffer) => Decoder;
const libraryReader = (): Reader => require('kafkajs/src/protocol/decoder.js') as Reader;
const libraryDecoder = (): ((reader: Decoder) => Promise<{records: KafkaMessage[]}>) =>
  require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as (
    reader: Decoder,
  ) => Promise<{records: KafkaMessage[]}>;
