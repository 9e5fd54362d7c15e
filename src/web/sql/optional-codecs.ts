/** Codecs of optional packages; null where one is not installed. zstd is in Node itself only from 22.15 on. */

export type ZstdCodec = {compress(data: Buffer): Promise<Buffer>; decompress(data: Buffer): Promise<Buffer>};

/** `compressSync` writes the length before what it compressed, and `uncompressSync` reads it there. */
export type Lz4Codec = {
  compressSync(data: Buffer): Buffer;
  uncompressSync(data: Buffer): Buffer;
  compressFrameSync(data: Buffer): Buffer;
};

export async function loadZstd(): Promise<ZstdCodec | null> {
  try {
    return (await import('@mongodb-js/zstd')) as ZstdCodec;
  } catch {
    return null;
  }
}

export async function loadLz4(): Promise<Lz4Codec | null> {
  try {
    const loaded = (await import('lz4-napi')) as unknown as {default?: Lz4Codec} & Lz4Codec;
    return loaded.default ?? loaded;
  } catch {
    return null;
  }
}
