import {promisify} from 'node:util';
import * as zlib from 'node:zlib';
import kafkajs from 'kafkajs';
import {messageOf} from '../../core/errors.ts';
import {LIMITS} from '../../core/limits.ts';
import {lz4FrameBytes, snappyBlockBytes, zstdFrameBytesMax} from './unpacked-size.ts';

/**
 * Codecs of our own, because kafkajs brings only gzip, without an output limit.
 * Each knows what a batch unpacks to, or stops there, before memory is taken.
 * Native packages are optional and loaded when first needed.
 *
 * What they throw becomes the reason of an `unreadable` range (fetched-batches.ts).
 */
export type Codec = {
  readonly compress: (encoder: {readonly buffer: Buffer}) => Promise<Buffer>;
  readonly decompress: (packed: Buffer) => Promise<Buffer>;
};

const BYTES_MAX = LIMITS.batchUnpackedBytesMax;
const gunzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip);
const gzip = promisify<Buffer, Buffer>(zlib.gzip);

export const GZIP: Codec = {
  compress: ({buffer}) => gzip(buffer),
  decompress: async packed => {
    try {
      return await gunzip(packed, {maxOutputLength: BYTES_MAX});
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
        throw tooLarge();
      throw error;
    }
  },
};

/** Java writes snappy in blocks behind this header (xerial), others as one raw block. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER_BYTES = 16;

export const SNAPPY: Codec = {
  compress: async ({buffer}) => (await optional<SnappyPackage>('snappy', 'snappy')).compress(buffer),
  decompress: async packed => {
    const blocks = packed.subarray(0, 8).equals(XERIAL_MAGIC) ? xerialBlocks(packed) : [packed];
    checkSize(blocks.reduce((sum, block) => sum + snappyBlockBytes(block), 0));
    const snappy = await optional<SnappyPackage>('snappy', 'snappy');
    const unpacked = await Promise.all(blocks.map(block => snappy.uncompress(block, {asBuffer: true})));
    return Buffer.concat(unpacked);
  },
};

export const LZ4: Codec = {
  compress: async ({buffer}) => (await optional<Lz4Package>('lz4', 'lz4-napi')).compressFrame(buffer),
  decompress: async packed => {
    checkSize(lz4FrameBytes(packed));
    return (await optional<Lz4Package>('lz4', 'lz4-napi')).decompressFrame(packed);
  },
};

export const ZSTD: Codec = {
  compress: async ({buffer}) => (await zstd()).compress(buffer),
  decompress: async packed => {
    // Java's stream writer leaves the size out of the header; blocks give an upper bound.
    checkSize(zstdFrameBytesMax(packed));
    const unpacked = await (await zstd()).decompress(packed);
    checkSize(unpacked.length);
    return unpacked;
  },
};

let isRegistered = false;

/** For every client of kafkajs in this process, once. */
export function registerCodecs(): void {
  if (isRegistered) return;
  isRegistered = true;
  const {CompressionCodecs, CompressionTypes} = kafkajs;
  CompressionCodecs[CompressionTypes.GZIP] = () => GZIP;
  CompressionCodecs[CompressionTypes.Snappy] = () => SNAPPY;
  CompressionCodecs[CompressionTypes.LZ4] = () => LZ4;
  CompressionCodecs[CompressionTypes.ZSTD] = () => ZSTD;
}

type SnappyPackage = {
  compress(bytes: Buffer): Promise<Buffer>;
  uncompress(bytes: Buffer, options: {asBuffer: true}): Promise<Buffer>;
};
type Lz4Package = {
  compressFrame(bytes: Buffer): Promise<Buffer>;
  decompressFrame(bytes: Buffer): Promise<Buffer>;
};
type ZstdPackage = {compress(bytes: Buffer): Promise<Buffer>; decompress(bytes: Buffer): Promise<Buffer>};
type ZstdCallback = (
  bytes: Buffer,
  options: zlib.ZlibOptions,
  done: (error: Error | null, out: Buffer) => void,
) => void;

async function zstd(): Promise<ZstdPackage> {
  // Node 22.15 and later.
  const pack: unknown = Reflect.get(zlib, 'zstdCompress');
  const unpack: unknown = Reflect.get(zlib, 'zstdDecompress');
  if (typeof pack !== 'function' || typeof unpack !== 'function') return optional('zstd', '@mongodb-js/zstd');
  const compress = promisify<Buffer, zlib.ZlibOptions, Buffer>(pack as ZstdCallback);
  const decompress = promisify<Buffer, zlib.ZlibOptions, Buffer>(unpack as ZstdCallback);
  return {
    compress: bytes => compress(bytes, {}),
    decompress: bytes => decompress(bytes, {maxOutputLength: BYTES_MAX}),
  };
}

async function optional<T>(codec: string, name: string): Promise<T> {
  try {
    const loaded = (await import(name)) as {default?: T} & T;
    return loaded.default ?? loaded;
  } catch (error) {
    throw new Error(`codec ${codec} needs the package ${name}: npm install ${name} (${messageOf(error)})`);
  }
}

function xerialBlocks(packed: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEADER_BYTES; at < packed.length; ) {
    const end = at + 4 + packed.readUInt32BE(at);
    if (end > packed.length) throw new Error('a snappy block reaches beyond its batch');
    blocks.push(packed.subarray(at + 4, end));
    at = end;
  }
  return blocks;
}

function checkSize(bytes: number): void {
  if (bytes > BYTES_MAX) throw tooLarge();
}

const tooLarge = (): Error => new Error(`the batch unpacks to more than ${BYTES_MAX} bytes`);
