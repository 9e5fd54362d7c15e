import * as zlib from 'node:zlib';

/** CRC-32 (IEEE 802.3) of `bytes`, continuing from `seed`. */
export type Crc32 = (bytes: Uint8Array, seed?: number) => number;

const TABLE = Uint32Array.from({length: 256}, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** For Node before 20.15, where zlib has none. */
export const crc32ByTable: Crc32 = (bytes, seed = 0) => {
  let crc = ~seed;
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
};

const native: unknown = Reflect.get(zlib, 'crc32');

export const crc32: Crc32 = typeof native === 'function' ? (native as Crc32) : crc32ByTable;
