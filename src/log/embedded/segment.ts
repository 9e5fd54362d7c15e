import {crc32} from './crc32.ts';
import type {FrameHeader} from './frame.ts';

const MAGIC = 0x31475341;
const FIXED_BYTES = 40;
/** An index entry every so many bytes of file: the longest stretch a reader scans. */
const INDEX_EVERY_BYTES = 256 * 1024;

/**
 * What a segment file begins with; little-endian:
 *
 *      0 u32 magic   4 u32 format version (1)   8 u32 log epoch   12 u32 partitions
 *     16 f64 segment number   24 f64 number of the first frame
 *     32 u32 crc of the frame before the first one   36 u32 crc of the rest of the header
 *     40 per partition f64 base offset
 */
export type SegmentHeader = {
  readonly logEpoch: number;
  readonly segment: number;
  readonly firstFrame: number;
  readonly previousCrc: number;
  readonly baseOffsets: readonly number[];
};

export const segmentHeaderBytes = (partitions: number): number => FIXED_BYTES + partitions * 8;

export const segmentName = (segment: number): string => `${String(segment).padStart(12, '0')}.segment`;

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const {baseOffsets} = header;
  const bytes = Buffer.alloc(segmentHeaderBytes(baseOffsets.length));
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(1, 4);
  bytes.writeUInt32LE(header.logEpoch, 8);
  bytes.writeUInt32LE(baseOffsets.length, 12);
  bytes.writeDoubleLE(header.segment, 16);
  bytes.writeDoubleLE(header.firstFrame, 24);
  bytes.writeUInt32LE(header.previousCrc, 32);
  baseOffsets.forEach((offset, partition) => {
    bytes.writeDoubleLE(offset, FIXED_BYTES + partition * 8);
  });
  bytes.writeUInt32LE(crcOf(bytes), 36);
  return bytes;
}

/** undefined: these are not the bytes of a header for so many partitions. */
export function parseSegmentHeader(bytes: Buffer, partitions: number): SegmentHeader | undefined {
  const length = segmentHeaderBytes(partitions);
  if (bytes.length < length) return undefined;
  const header = bytes.subarray(0, length);
  const isGood =
    header.readUInt32LE(0) === MAGIC &&
    header.readUInt32LE(4) === 1 &&
    header.readUInt32LE(12) === partitions &&
    header.readUInt32LE(36) === crcOf(header);
  if (!isGood) return undefined;
  return {
    logEpoch: header.readUInt32LE(8),
    segment: header.readDoubleLE(16),
    firstFrame: header.readDoubleLE(24),
    previousCrc: header.readUInt32LE(32),
    baseOffsets: Array.from({length: partitions}, (_, p) => header.readDoubleLE(FIXED_BYTES + p * 8)),
  };
}

const crcOf = (bytes: Buffer): number => crc32(bytes.subarray(FIXED_BYTES), crc32(bytes.subarray(0, 36)));

/** What the index keeps of a frame. */
export type FrameNote = Pick<FrameHeader, 'partition' | 'baseOffset' | 'records' | 'timestampMax'>;

/** A segment in memory: where it ends and a sparse index into it. */
export class Segment {
  readonly path: string;
  readonly number: number;
  readonly baseOffsets: readonly number[];
  /** Bytes that are durable; readers stay below. */
  length: number;
  timestampMin = Number.POSITIVE_INFINITY;
  timestampMax = Number.NEGATIVE_INFINITY;
  readonly #offsets: number[][];
  readonly #positions: number[][];

  constructor(path: string, header: SegmentHeader) {
    this.path = path;
    this.number = header.segment;
    this.baseOffsets = header.baseOffsets;
    this.length = segmentHeaderBytes(header.baseOffsets.length);
    this.#offsets = header.baseOffsets.map(() => []);
    this.#positions = header.baseOffsets.map(() => []);
  }

  /** Takes note of a durable frame that begins at the present end. */
  add({partition, baseOffset, timestampMax}: FrameNote, bytes: number): void {
    const offsets = this.#offsets[partition];
    const positions = this.#positions[partition];
    const last = positions?.at(-1);
    if (last === undefined || this.length - last >= INDEX_EVERY_BYTES) {
      offsets?.push(baseOffset);
      positions?.push(this.length);
    }
    this.length += bytes;
    this.timestampMin = Math.min(this.timestampMin, timestampMax);
    this.timestampMax = Math.max(this.timestampMax, timestampMax);
  }

  /** A position from which a scan finds the frame that holds `offset`. */
  seek(partition: number, offset: number): number {
    const offsets = this.#offsets[partition] ?? [];
    let low = 0;
    let high = offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((offsets[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#positions[partition]?.[Math.max(0, low - 1)] ?? segmentHeaderBytes(this.baseOffsets.length);
  }
}
