import {epochMs} from '../../core/units.ts';
import type {LogRecord, RawRecord} from '../event-log.ts';
import type {StoredRecord} from '../local/log-store.ts';
import {corrupt} from './corrupt.ts';
import {crc32} from './crc32.ts';

/**
 * A frame holds the records of one append for one partition; little-endian:
 *
 *      0 u32 magic          4 u32 bytes of the whole frame
 *      8 u32 partition     12 u32 records
 *     16 f64 base offset   24 f64 frame number
 *     32 f64 largest timestamp
 *     40 u32 crc of the frame before
 *     44 u32 crc of all records' bytes
 *     48 u32 crc of bytes 0…48 and the table
 *     52 table: per record u32 bytes, u32 crc of those bytes
 *        records: f64 timestamp · i32 bytes of the key (−1: null) · u16 headers · key
 *                 · (u16 bytes, name, u32 bytes, value)* · value
 *
 * Frames are chained by their crc. Records are checked all at once, which costs a
 * sixth of one by one; their own crcs then tell which one is bad.
 */
export const FRAME_HEADER_BYTES = 52;
export const FRAME_BYTES_MAX = 64 * 1024 * 1024;
const MAGIC = 0x31465241;
const TABLE_ROW_BYTES = 8;
const RECORD_HEADER_BYTES = 14;
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

export type FrameHeader = {
  readonly bytes: number;
  readonly partition: number;
  readonly records: number;
  readonly baseOffset: number;
  readonly frameNumber: number;
  readonly timestampMax: number;
  readonly previousCrc: number;
  readonly recordsCrc: number;
  readonly crc: number;
};

/** Records of one partition, encoded but without a place in the log yet. */
export type FrameBody = {
  readonly partition: number;
  readonly records: number;
  readonly timestampMax: number;
  /** Room for the header, then table and records. */
  readonly bytes: Buffer;
};

export function encodeBody(partition: number, records: readonly StoredRecord[]): FrameBody {
  const tableEnd = FRAME_HEADER_BYTES + records.length * TABLE_ROW_BYTES;
  let room = tableEnd;
  for (const record of records) room += roomOf(record);
  const bytes = Buffer.allocUnsafeSlow(room);
  let at = tableEnd;
  let row = FRAME_HEADER_BYTES;
  let timestampMax = Number.NEGATIVE_INFINITY;
  for (const record of records) {
    const end = writeRecord(bytes, at, record);
    bytes.writeUInt32LE(end - at, row);
    bytes.writeUInt32LE(crc32(bytes.subarray(at, end)), row + 4);
    if (record.timestamp > timestampMax) timestampMax = record.timestamp;
    at = end;
    row += TABLE_ROW_BYTES;
  }
  return {partition, records: records.length, timestampMax, bytes: bytes.subarray(0, at)};
}

/** Writes the header into the body's room and returns the frame's crc. */
export function sealFrame(
  body: FrameBody,
  place: {readonly baseOffset: number; readonly frameNumber: number; readonly previousCrc: number},
): number {
  const {bytes} = body;
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes.writeUInt32LE(body.partition, 8);
  bytes.writeUInt32LE(body.records, 12);
  bytes.writeDoubleLE(place.baseOffset, 16);
  bytes.writeDoubleLE(place.frameNumber, 24);
  bytes.writeDoubleLE(body.timestampMax, 32);
  bytes.writeUInt32LE(place.previousCrc, 40);
  bytes.writeUInt32LE(crc32(bytes.subarray(FRAME_HEADER_BYTES + body.records * TABLE_ROW_BYTES)), 44);
  const crc = crcOf(bytes, 0, body.records);
  bytes.writeUInt32LE(crc, 48);
  return crc;
}

/** The header at `at`, unchecked but for what keeps a reader inside sane bounds; undefined when it is none. */
export function parseHeader(bytes: Buffer, at: number): FrameHeader | undefined {
  if (at + FRAME_HEADER_BYTES > bytes.length || bytes.readUInt32LE(at) !== MAGIC) return undefined;
  const header = {
    bytes: bytes.readUInt32LE(at + 4),
    partition: bytes.readUInt32LE(at + 8),
    records: bytes.readUInt32LE(at + 12),
    baseOffset: bytes.readDoubleLE(at + 16),
    frameNumber: bytes.readDoubleLE(at + 24),
    timestampMax: bytes.readDoubleLE(at + 32),
    previousCrc: bytes.readUInt32LE(at + 40),
    recordsCrc: bytes.readUInt32LE(at + 44),
    crc: bytes.readUInt32LE(at + 48),
  };
  const isSane =
    header.records > 0 &&
    header.bytes <= FRAME_BYTES_MAX &&
    header.bytes >= FRAME_HEADER_BYTES + header.records * (TABLE_ROW_BYTES + RECORD_HEADER_BYTES);
  return isSane ? header : undefined;
}

/** Header and table are as they were written. The frame lies whole in `bytes`. */
export const hasGoodHeader = (bytes: Buffer, at: number, header: FrameHeader): boolean =>
  crcOf(bytes, at, header.records) === header.crc;

/** The index of the first record whose bytes are not as they were written; -1 when all are. The header is good. */
export function badRecordIn(bytes: Buffer, at: number, header: FrameHeader): number {
  let row = at + FRAME_HEADER_BYTES;
  let start = row + header.records * TABLE_ROW_BYTES;
  if (crc32(bytes.subarray(start, at + header.bytes)) === header.recordsCrc) return -1;
  for (let index = 0; index < header.records; index++) {
    const end = start + bytes.readUInt32LE(row);
    if (crc32(bytes.subarray(start, end)) !== bytes.readUInt32LE(row + 4)) return index;
    start = end;
    row += TABLE_ROW_BYTES;
  }
  return header.records - 1;
}

export type DecodeLimits = {readonly from: number; readonly recordsMax: number; readonly bytesMax: number};

/** Where a frame lies, for messages. */
export type FramePlace = {readonly path: string; readonly position: number};

/** Appends records from offset `from` on to `into`, once all of the frame are as they were written. */
export function decodeRecords(
  frame: {
    readonly bytes: Buffer;
    readonly at: number;
    readonly header: FrameHeader;
    readonly place: FramePlace;
  },
  into: LogRecord[],
  limits: DecodeLimits,
): {readonly isDone: boolean; readonly bytes: number} {
  const {bytes, at, header, place} = frame;
  let row = at + FRAME_HEADER_BYTES;
  let start = row + header.records * TABLE_ROW_BYTES;
  let taken = 0;
  const bad = badRecordIn(bytes, at, header);
  if (bad >= 0) {
    const what = `the record at offset ${header.baseOffset + bad} of partition ${header.partition} fails its checksum`;
    throw corrupt(place.path, place.position, what);
  }
  for (let index = 0; index < header.records; index++) {
    const end = start + bytes.readUInt32LE(row);
    const offset = header.baseOffset + index;
    if (offset >= limits.from) {
      if (into.length >= limits.recordsMax || (into.length > 0 && taken + end - start > limits.bytesMax)) {
        return {isDone: false, bytes: taken};
      }
      into.push(new ReadRecord(bytes, start, {end, partition: header.partition, offset}));
      taken += end - start;
    }
    start = end;
    row += TABLE_ROW_BYTES;
  }
  return {isDone: true, bytes: taken};
}

function crcOf(bytes: Buffer, at: number, records: number): number {
  const table = at + FRAME_HEADER_BYTES;
  const head = crc32(bytes.subarray(at, at + FRAME_HEADER_BYTES - 4));
  return crc32(bytes.subarray(table, table + records * TABLE_ROW_BYTES), head);
}

function roomOf({key, value, headers}: StoredRecord): number {
  let room = RECORD_HEADER_BYTES + value.length + (key === null ? 0 : key.length * 3);
  for (const name in headers) room += 6 + name.length * 3 + (headers[name]?.length ?? 0) * 3;
  return room;
}

function writeRecord(bytes: Buffer, start: number, {timestamp, key, value, headers}: StoredRecord): number {
  let at = start + RECORD_HEADER_BYTES;
  const keyBytes = key === null ? -1 : bytes.write(key, at);
  if (keyBytes > 0) at += keyBytes;
  let count = 0;
  for (const name in headers) {
    const nameBytes = bytes.write(name, at + 2);
    bytes.writeUInt16LE(nameBytes, at);
    const valueBytes = bytes.write(headers[name] ?? '', at + 6 + nameBytes);
    bytes.writeUInt32LE(valueBytes, at + 2 + nameBytes);
    at += 6 + nameBytes + valueBytes;
    count++;
  }
  bytes.set(value, at);
  bytes.writeDoubleLE(timestamp, start);
  bytes.writeInt32LE(keyBytes, start + 8);
  bytes.writeUInt16LE(count, start + 12);
  return at + value.length;
}

/**
 * A record of which nothing is made before it is asked for. Its bytes are a stretch of the file that
 * all partitions share: who keeps it copies it, or a few rows would hold the whole stretch.
 */
class ReadRecord implements LogRecord, RawRecord {
  readonly partition: number;
  readonly offsetNumber: number;
  readonly from: number;
  readonly to: number;
  /** Half a megabyte that is not of the record: whoever compares or prints records should not meet it. */
  readonly #bytes: Buffer;
  readonly #start: number;

  constructor(bytes: Buffer, start: number, {end, partition, offset}: {readonly end: number; readonly partition: number; readonly offset: number}) {
    this.partition = partition;
    this.offsetNumber = offset;
    this.#bytes = bytes;
    this.#start = start;
    this.from = valueStart(bytes, start);
    this.to = end;
  }

  get raw(): RawRecord {
    return this;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get isShared(): boolean {
    return true;
  }

  get offset(): bigint {
    return BigInt(this.offsetNumber);
  }

  get timestamp(): LogRecord['timestamp'] {
    return epochMs(this.#bytes.readDoubleLE(this.#start));
  }

  get value(): Uint8Array {
    return this.#bytes.subarray(this.from, this.to);
  }

  get key(): string | null {
    const length = this.#bytes.readInt32LE(this.#start + 8);
    const from = this.#start + RECORD_HEADER_BYTES;
    return length < 0 ? null : this.#bytes.toString('utf8', from, from + length);
  }

  get headers(): Readonly<Record<string, string>> {
    const bytes = this.#bytes;
    const count = bytes.readUInt16LE(this.#start + 12);
    if (count === 0) return NO_HEADERS;
    const headers: Record<string, string> = {};
    let at = keyEnd(bytes, this.#start);
    for (let i = 0; i < count; i++) {
      const nameEnd = at + 2 + bytes.readUInt16LE(at);
      const end = nameEnd + 4 + bytes.readUInt32LE(nameEnd);
      headers[bytes.toString('utf8', at + 2, nameEnd)] = bytes.toString('utf8', nameEnd + 4, end);
      at = end;
    }
    return headers;
  }
}

const keyEnd = (bytes: Buffer, start: number): number => start + RECORD_HEADER_BYTES + Math.max(0, bytes.readInt32LE(start + 8));

function valueStart(bytes: Buffer, start: number): number {
  let at = keyEnd(bytes, start);
  for (let left = bytes.readUInt16LE(start + 12); left > 0; left--) {
    const nameEnd = at + 2 + bytes.readUInt16LE(at);
    at = nameEnd + 4 + bytes.readUInt32LE(nameEnd);
  }
  return at;
}
