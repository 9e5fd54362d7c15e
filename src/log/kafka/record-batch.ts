import {epochMs} from '../../core/units.ts';
import type {LogRecord, RawRecord} from '../event-log.ts';

const NO_VALUE = new Uint8Array(0);
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
const LOG_APPEND_TIME = 0x08;

/**
 * What stands at the start of a record batch of format 2, the only one since
 * Kafka 0.11; the records follow, packed by the codec.
 *
 *     0 baseOffset i64 │ 8 length i32 │ 12 leaderEpoch i32 │ 16 magic i8 │ 17 crc u32
 *     21 attributes i16 │ 23 lastOffsetDelta i32 │ 27 firstTimestamp i64 │ 35 maxTimestamp i64
 *     43 producerId i64 │ 51 producerEpoch i16 │ 53 firstSequence i32 │ 57 records i32
 */
export type BatchHeader = {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly attributes: number;
  readonly firstTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: bigint;
  readonly records: number;
};

export const BATCH_HEADER_BYTES = 61;

export function readBatchHeader(batch: Buffer): BatchHeader {
  const baseOffset = batch.readBigInt64BE(0);
  return {
    baseOffset,
    lastOffset: baseOffset + BigInt(batch.readInt32BE(23)),
    attributes: batch.readInt16BE(21),
    firstTimestamp: Number(batch.readBigInt64BE(27)),
    maxTimestamp: Number(batch.readBigInt64BE(35)),
    producerId: batch.readBigInt64BE(43),
    records: batch.readInt32BE(57),
  };
}

type RecordPlace = {
  readonly partition: number;
  readonly offsetNumber: number;
  readonly timestamp: LogRecord['timestamp'];
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly from: number;
  readonly to: number;
};

/**
 * A record of which nothing is made before it is asked for: a worker asks for
 * neither key nor headers, and reads the value where it lies.
 */
export class FetchedRecord implements LogRecord, RawRecord {
  readonly partition: number;
  readonly offsetNumber: number;
  readonly timestamp: LogRecord['timestamp'];
  readonly bytes: Buffer;
  readonly from: number;
  /** The headers begin where the value ends. */
  readonly to: number;
  readonly #keyStart: number;
  /** −1: no key. */
  readonly #keyEnd: number;

  constructor(bytes: Buffer, at: RecordPlace) {
    this.partition = at.partition;
    this.offsetNumber = at.offsetNumber;
    this.timestamp = at.timestamp;
    this.bytes = bytes;
    this.from = at.from;
    this.to = at.to;
    this.#keyStart = at.keyStart;
    this.#keyEnd = at.keyEnd;
  }

  get raw(): RawRecord {
    return this;
  }

  get offset(): bigint {
    return BigInt(this.offsetNumber);
  }

  get value(): Uint8Array {
    return this.from === this.to ? NO_VALUE : this.bytes.subarray(this.from, this.to);
  }

  get key(): string | null {
    return this.#keyEnd < 0 ? null : this.bytes.toString('utf8', this.#keyStart, this.#keyEnd);
  }

  get headers(): Readonly<Record<string, string>> {
    return this.bytes[this.to] === 0 ? NO_HEADERS : new BatchReader(this.bytes, this.to).headers();
  }
}

/** The records of a batch, unpacked. @throws Error when they end too early or hold lengths that cannot be */
export function readRecords(partition: number, header: BatchHeader, bytes: Buffer): FetchedRecord[] {
  const reader = new BatchReader(bytes, 0);
  const isLogTime = (header.attributes & LOG_APPEND_TIME) !== 0;
  const baseOffset = Number(header.baseOffset);
  // A log that grows by a million records a second comes there in 285 years.
  if (!Number.isSafeInteger(Number(header.lastOffset))) throw new Error('the batch lies beyond offset 2^53');
  const records: FetchedRecord[] = [];
  for (let index = 0; index < header.records; index++) {
    const end = reader.end(reader.varint());
    // Attributes of a record are not used.
    reader.position++;
    const timestampDelta = reader.varint();
    const offsetNumber = baseOffset + reader.varint();
    const timestamp = epochMs(isLogTime ? header.maxTimestamp : header.firstTimestamp + timestampDelta);
    const keyBytes = reader.varint();
    const keyStart = reader.position;
    if (keyBytes > 0) reader.position = reader.end(keyBytes);
    const keyEnd = keyBytes < 0 ? -1 : reader.position;
    const valueBytes = reader.varint();
    const from = reader.position;
    const to = valueBytes > 0 ? reader.end(valueBytes) : from;
    if (to >= end) throw new Error('a record ends in the middle of itself');
    records.push(new FetchedRecord(bytes, {partition, offsetNumber, timestamp, keyStart, keyEnd, from, to}));
    reader.position = end;
  }
  return records;
}

class BatchReader {
  position: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, position: number) {
    this.#bytes = bytes;
    this.position = position;
  }

  /** Where the next `length` bytes end; they are there. */
  end(length: number): number {
    const end = this.position + length;
    if (length < 0 || end > this.#bytes.length) throw new Error('the batch ends in the middle of a record');
    return end;
  }

  /** A zigzag number of up to 64 bits; beyond 2^53 it is not exact, and no length, delta or count is. */
  varint(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.position++] ?? -1;
    if (byte >= 0 && byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let sum = byte & 0x7f;
    let scale = 0x80;
    for (let more = 1; byte >= 0x80 && more < 10; more++) {
      byte = bytes[this.position++] ?? -1;
      sum += (byte & 0x7f) * scale;
      scale *= 0x80;
    }
    if (byte < 0 || byte >= 0x80) throw new Error('the batch ends in the middle of a number');
    return sum % 2 === 0 ? sum / 2 : -(sum + 1) / 2;
  }

  /** A header that comes several times keeps its last value; one without a value is empty. */
  headers(): Readonly<Record<string, string>> {
    const count = this.varint();
    const entries: [string, string][] = [];
    for (let index = 0; index < count; index++) entries.push([this.#text(), this.#text()]);
    return Object.fromEntries(entries);
  }

  #text(): string {
    const length = this.varint();
    if (length <= 0) return '';
    const start = this.position;
    this.position = this.end(length);
    return this.#bytes.toString('utf8', start, this.position);
  }
}
