import {Transform} from 'node:stream';
import {SqlEngineError} from '../../warehouse/sql-executor.ts';
import {cityHash128} from './city-hash.ts';
import {loadLz4, loadZstd} from './optional-codecs.ts';
import {zstdBytesMax} from './zstd-bound.ts';

/**
 * ClickHouse's own framing of compressed bytes (`compress=1`, `decompress=1`), as its native clients speak it over HTTP:
 *
 *     16 bytes  CityHash128 of all that follows
 *      1 byte   method
 *      4 bytes  length of what follows the hash
 *      4 bytes  length of the bytes when uncompressed
 *      …        the compressed bytes
 */
const METHODS = {none: 0x02, lz4: 0x82, zstd: 0x90} as const;
const HASH_BYTES = 16;
const HEADER_BYTES = 9;
/** What a server puts in one block. */
const BLOCK_BYTES = 1024 ** 2;
/** Larger ones than any client sends; a block is held in memory twice. */
const BLOCK_BYTES_MAX = 16 * 1024 ** 2;

/** What a zstd frame's headers say is known to a block of it, not to the byte. */
const ZSTD_ROUNDING_BYTES = 1024 ** 2;

/**
 * @param wanted LZ4, ZSTD or NONE, as the setting `network_compression_method` says it. A codec whose optional
 * package is not there is done without: every client reads blocks that are not packed.
 */
export async function toCompressedBlocks(body: Uint8Array, wanted = 'LZ4'): Promise<Uint8Array> {
  const pack = await packerOf(wanted.toUpperCase());
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += BLOCK_BYTES) {
    const raw = Buffer.from(body.buffer, body.byteOffset + at, Math.min(BLOCK_BYTES, body.length - at));
    blocks.push(frame(raw.length, await pack(raw)));
  }
  return Buffer.concat(blocks);
}

type Packed = {readonly method: number; readonly packed: Buffer};

async function packerOf(wanted: string): Promise<(raw: Buffer) => Packed | Promise<Packed>> {
  const [lz4, zstd] = [wanted === 'LZ4' ? await loadLz4() : null, wanted === 'ZSTD' ? await loadZstd() : null];
  // The package writes the length before what it compressed.
  if (lz4 !== null) return raw => ({method: METHODS.lz4, packed: lz4.compressSync(raw).subarray(4)});
  if (zstd !== null) return async raw => ({method: METHODS.zstd, packed: await zstd.compress(raw)});
  return raw => ({method: METHODS.none, packed: raw});
}

function frame(rawBytes: number, {method, packed}: Packed): Buffer {
  const block = Buffer.alloc(HASH_BYTES + HEADER_BYTES + packed.length);
  block[HASH_BYTES] = method;
  block.writeUInt32LE(HEADER_BYTES + packed.length, HASH_BYTES + 1);
  block.writeUInt32LE(rawBytes, HASH_BYTES + 5);
  packed.copy(block, HASH_BYTES + HEADER_BYTES);
  const [low, high] = cityHash128(block.subarray(HASH_BYTES));
  block.writeBigUInt64LE(low, 0);
  block.writeBigUInt64LE(high, 8);
  return block;
}

/** The bytes in the blocks. Fails with SqlEngineError for what is not a block, or not whole. */
export function compressedBlockDecoder(): Transform {
  let pending: Buffer = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      takeBlocks(pending, part => this.push(part)).then(
        left => {
          pending = left;
          done();
        },
        (error: Error) => done(error),
      );
    },
    flush(done) {
      done(pending.length === 0 ? null : new SqlEngineError(32, 'the last compressed block is cut short'));
    },
  });
}

/** @returns what is left of a block that has not come whole */
async function takeBlocks(bytes: Buffer, push: (part: Buffer) => void): Promise<Buffer> {
  let left = bytes;
  while (left.length >= HASH_BYTES + HEADER_BYTES) {
    const [length, rawBytes] = [left.readUInt32LE(HASH_BYTES + 1), left.readUInt32LE(HASH_BYTES + 5)];
    if (length < HEADER_BYTES || length > BLOCK_BYTES_MAX || rawBytes > BLOCK_BYTES_MAX) {
      throw new SqlEngineError(432, `a compressed block of ${length} bytes, ${rawBytes} uncompressed: at most ${BLOCK_BYTES_MAX} are taken, and the body has to be in ClickHouse's compressed blocks`);
    }
    if (left.length < HASH_BYTES + length) return left;
    const block = left.subarray(HASH_BYTES, HASH_BYTES + length);
    const [low, high] = cityHash128(block);
    if (low !== left.readBigUInt64LE(0) || high !== left.readBigUInt64LE(8)) throw new SqlEngineError(40, 'Checksum doesn\'t match: corrupted data');
    push(await unpack(block, rawBytes));
    left = left.subarray(HASH_BYTES + length);
  }
  return left;
}

async function unpack(block: Buffer, rawBytes: number): Promise<Buffer> {
  const packed = block.subarray(HEADER_BYTES);
  const raw = await unpackAs(block[0] ?? 0, {packed, rawBytes});
  if (raw.length !== rawBytes) throw new SqlEngineError(271, `a compressed block says ${rawBytes} bytes and holds ${raw.length}`);
  return raw;
}

async function unpackAs(method: number, {packed, rawBytes}: {readonly packed: Buffer; readonly rawBytes: number}): Promise<Buffer> {
  switch (method) {
    case METHODS.none:
      return packed;
    case METHODS.lz4: {
      const lz4 = await loadLz4();
      if (lz4 === null) throw new SqlEngineError(89, 'LZ4 blocks need the optional package lz4-napi');
      const sized = Buffer.alloc(4 + packed.length);
      sized.writeUInt32LE(rawBytes, 0);
      packed.copy(sized, 4);
      return orCorrupt(() => lz4.uncompressSync(sized));
    }
    case METHODS.zstd: {
      const zstd = await loadZstd();
      if (zstd === null) throw new SqlEngineError(89, 'zstd blocks need the optional package @mongodb-js/zstd');
      if (zstdBytesMax(packed) > rawBytes + ZSTD_ROUNDING_BYTES) throw new SqlEngineError(271, `a compressed block says ${rawBytes} bytes and may hold more`);
      return orCorrupt(() => zstd.decompress(packed));
    }
    default:
      throw new SqlEngineError(432, `Unknown compression method of a block: 0x${method.toString(16)}`);
  }
}

async function orCorrupt(unpacked: () => Buffer | Promise<Buffer>): Promise<Buffer> {
  try {
    return await unpacked();
  } catch (cause) {
    throw new SqlEngineError(271, 'Cannot decompress a block', {cause});
  }
}
