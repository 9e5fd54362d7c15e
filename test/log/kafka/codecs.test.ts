import {gzipSync} from 'node:zlib';
import {describe, expect, test} from 'vitest';
import {LIMITS} from '../../../src/core/limits.ts';
import {type Codec, GZIP, LZ4, SNAPPY, ZSTD} from '../../../src/log/kafka/codecs.ts';
import {lz4FrameBytes, snappyBlockBytes, zstdFrameBytesMax} from '../../../src/log/kafka/unpacked-size.ts';

const CODECS: Readonly<Record<string, Codec>> = {gzip: GZIP, snappy: SNAPPY, lz4: LZ4, zstd: ZSTD};

const samples = [
  Buffer.from('x'),
  Buffer.alloc(1_000_000, 'abcdefgh'),
  Buffer.from(Array.from({length: 300_000}, (_, i) => (i * i * 7919) & 255)),
  Buffer.from(
    JSON.stringify(Array.from({length: 5_000}, (_, i) => ({unit: `user-${i % 977}`, score: i / 7}))),
  ),
];

describe.each(Object.entries(CODECS))('%s', (name, codec) => {
  test('unpacks what it packed', async () => {
    for (const sample of samples) {
      const packed = await codec.compress({buffer: sample});
      expect((await codec.decompress(packed)).equals(sample)).toBe(true);
    }
  });

  test('refuses what unpacks beyond the limit before memory is taken for it', async () => {
    const packed = await codec.compress({buffer: Buffer.alloc(LIMITS.batchUnpackedBytesMax + 1)});
    const before = process.memoryUsage().rss;
    await expect(codec.decompress(packed)).rejects.toThrow('unpacks to more than 33554432 bytes');
    if (name !== 'gzip') expect(process.memoryUsage().rss - before).toBeLessThan(20 * 1024 * 1024);
    const just = await codec.compress({buffer: Buffer.alloc(LIMITS.batchUnpackedBytesMax)});
    expect((await codec.decompress(just)).length).toBe(LIMITS.batchUnpackedBytesMax);
  });

  test('rejects bytes that are no such format, and cut ones', async () => {
    await expect(codec.decompress(Buffer.from('no such format at all'))).rejects.toThrow();
    const packed = await codec.compress({buffer: samples[3] ?? Buffer.alloc(0)});
    await expect(codec.decompress(packed.subarray(0, packed.length / 2))).rejects.toThrow();
  });
});

test('sizes are found without unpacking', async () => {
  for (const sample of samples) {
    expect(snappyBlockBytes(await SNAPPY.compress({buffer: sample}))).toBe(sample.length);
    expect(lz4FrameBytes(await LZ4.compress({buffer: sample}))).toBe(sample.length);
    expect(zstdFrameBytesMax(await ZSTD.compress({buffer: sample}))).toBeGreaterThanOrEqual(sample.length);
  }
});

test('snappy in xerial blocks, as Java writes it', async () => {
  const blocks = await Promise.all(
    [Buffer.from('first '), Buffer.from('second')].map(buffer => SNAPPY.compress({buffer})),
  );
  const framed = Buffer.concat([
    Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]),
    ...blocks.flatMap(block => [Buffer.from([0, 0, 0, block.length]), block]),
  ]);
  expect((await SNAPPY.decompress(framed)).toString()).toBe('first second');
});

test('gzip members one after another are one batch', async () => {
  const packed = Buffer.concat([gzipSync('a'), gzipSync('b')]);
  expect((await GZIP.decompress(packed)).toString()).toBe('ab');
});
