/**
 * What packed bytes unpack to, found without unpacking them: the native decoders
 * take no limit, and one batch of 1 MiB can hold 250 MiB of lz4 and far more of zstd.
 * Each throws on bytes that are no such format.
 */

/** The varint before a raw snappy block says it. */
export function snappyBlockBytes(block: Buffer): number {
  let size = 0;
  for (let i = 0; i < 5; i++) {
    const byte = at(block, i);
    size += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return size;
  }
  throw new Error('a snappy block has no size');
}

const LZ4_MAGIC = 0x184d2204;

/** Exact: block by block, and within packed blocks by counting literals and matches. */
export function lz4FrameBytes(frame: Buffer): number {
  if (frame.length < 7 || frame.readUInt32LE(0) !== LZ4_MAGIC) throw new Error('no lz4 frame');
  const flags = at(frame, 4);
  const hasBlockChecksum = (flags & 0x10) !== 0;
  let position = 7 + ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0);
  let total = 0;
  for (;;) {
    const head = frame.readUInt32LE(position);
    position += 4;
    if (head === 0) return total;
    const bytes = head & 0x7fffffff;
    if (position + bytes > frame.length) throw new Error('an lz4 block reaches beyond its frame');
    total += head >= 0x80000000 ? bytes : lz4BlockBytes(frame.subarray(position, position + bytes));
    position += bytes + (hasBlockChecksum ? 4 : 0);
  }
}

function lz4BlockBytes(block: Buffer): number {
  let total = 0;
  let position = 0;
  const length = (nibble: number): number => {
    let sum = nibble;
    for (let more = nibble === 15; more; ) {
      const byte = at(block, position++);
      sum += byte;
      more = byte === 255;
    }
    return sum;
  };
  while (position < block.length) {
    const token = at(block, position++);
    const literals = length(token >>> 4);
    total += literals;
    position += literals;
    // The last sequence has no match.
    if (position >= block.length) break;
    position += 2;
    total += 4 + length(token & 15);
  }
  return total;
}

const ZSTD_MAGIC = 0xfd2fb528;
const ZSTD_BLOCK_BYTES_MAX = 128 * 1024;

/** The size in the header, or an upper bound: raw and repeated blocks exactly, packed ones as 128 KiB. */
export function zstdFrameBytesMax(frame: Buffer): number {
  if (frame.length < 6 || frame.readUInt32LE(0) !== ZSTD_MAGIC) throw new Error('no zstd frame');
  const descriptor = at(frame, 4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0;
  const sizeAt = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  if (sizeBytes === 8) return Number(frame.readBigUInt64LE(sizeAt));
  if (sizeBytes > 0) return frame.readUIntLE(sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  let total = 0;
  for (let position = sizeAt; ; ) {
    const head = frame.readUIntLE(position, 3);
    const [kind, size] = [(head >>> 1) & 3, head >>> 3];
    if (kind === 3) throw new Error('a zstd block of an unknown kind');
    total += kind === 2 ? ZSTD_BLOCK_BYTES_MAX : size;
    position += 3 + (kind === 1 ? 1 : size);
    if ((head & 1) === 1) return total;
  }
}

function at(bytes: Buffer, index: number): number {
  const byte = bytes[index];
  if (byte === undefined) throw new Error('packed bytes end too early');
  return byte;
}
