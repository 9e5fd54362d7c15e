/** A block unfolds to no more than this, whatever its frame says (RFC 8878 §3.1.1.2.4). */
const BLOCK_BYTES_MAX = 128 * 1024;
const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;

/**
 * How many bytes zstd frames unfold to at most, told from their headers alone: a few bytes can stand for gigabytes,
 * and the package unfolds them at once. Infinity for what is not whole frames.
 */
export function zstdBytesMax(packed: Uint8Array): number {
  const data = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  let total = 0;
  let at = 0;
  try {
    while (at < packed.length) {
      const magic = data.getUint32(at, true);
      if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
        at += 8 + data.getUint32(at + 4, true);
        continue;
      }
      if (magic !== MAGIC) return Number.POSITIVE_INFINITY;
      const descriptor = data.getUint8(at + 4);
      at += 4 + headerBytes(descriptor);
      const blocks = walkBlocks(data, at);
      total += blocks.bytesMax;
      at = blocks.end + ((descriptor & 4) === 0 ? 0 : 4);
    }
    return at === packed.length ? total : Number.POSITIVE_INFINITY;
  } catch (error) {
    if (error instanceof RangeError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

/** Descriptor, window, dictionary id and content size. */
function headerBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  return 1 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0) + contentSize;
}

function walkBlocks(data: DataView, from: number): {readonly bytesMax: number; readonly end: number} {
  let bytesMax = 0;
  for (let at = from; ; ) {
    const header = data.getUint16(at, true) + data.getUint8(at + 2) * 65_536;
    const [isLast, kind, size] = [(header & 1) === 1, (header >> 1) & 3, header >> 3];
    // Raw, one byte repeated, compressed.
    bytesMax += kind === 2 ? BLOCK_BYTES_MAX : size;
    at += 3 + (kind === 1 ? 1 : size);
    if (isLast) return {bytesMax, end: at};
  }
}
