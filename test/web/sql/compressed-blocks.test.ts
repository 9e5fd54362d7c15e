import {Readable} from 'node:stream';
import {describe, expect, test} from 'vitest';
import {seededRng} from '../../../src/core/rng.ts';
import {cityHash128} from '../../../src/web/sql/city-hash.ts';
import {compressedBlockDecoder, toCompressedBlocks} from '../../../src/web/sql/compressed-blocks.ts';
import {decoderFor, encodeBody} from '../../../src/web/sql/front-encoding.ts';
import {loadLz4, loadZstd} from '../../../src/web/sql/optional-codecs.ts';
import {zstdBytesMax} from '../../../src/web/sql/zstd-bound.ts';

/** Columns of `cityHash64(number)` as ClickHouse 26.7 wrote them to disk: rows → [codec, block]. */
const WRITTEN: Readonly<Record<number, readonly [codec: 'NONE' | 'LZ4', hex: string]>> = {
  1: ['NONE', '4764c45e1129d7db5e19c7e276282c380211000000080000003236743ade1e1342'],
  2: ['NONE', 'd5f8e9b8c3f5b9012a5534e5ecb4f6df0219000000100000003236743ade1e134230e069f3a44bca92'],
  13: ['NONE', 'd2a7684a334928807c6c6791165a620b0271000000680000003236743ade1e134230e069f3a44bca92458c4d5604c48cfcfa045a3dcdf7908510fad9c403e5c86b2ed4c9ea60c756d328d837e2e6d4d4b088c88f4d80e67cb94447afff70df5ea2513c1c76ec164c3de54511644e61ea759c0a04d9823d0f5bb27c0b9176e4467b'],
  20: ['LZ4', '3053a815da315c3245b4ba50e6574b5b82ab000000a0000000f0913236743ade1e134230e069f3a44bca92458c4d5604c48cfcfa045a3dcdf7908510fad9c403e5c86b2ed4c9ea60c756d328d837e2e6d4d4b088c88f4d80e67cb94447afff70df5ea2513c1c76ec164c3de54511644e61ea759c0a04d9823d0f5bb27c0b9176e4467b279f38efa285f2b3ea0b6e62522b3374d7a7accfce2762424946616ebb3768e53921b6a9cccddead1bd93714e2beaf395292afb12f57537d'],
};
const SHORT_LZ4 = '79dc2b48f94b329798542bf8a9be06eb821200000008000000803236743ade1e1342';
const WORDS = Buffer.from(WRITTEN[13]?.[1] ?? '', 'hex').subarray(25);

async function unpacked(bytes: Uint8Array, chunkBytes = bytes.length): Promise<Buffer> {
  const chunks = Array.from({length: Math.ceil(bytes.length / chunkBytes)}, (_, index) => Buffer.from(bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes)));
  const parts: Buffer[] = [];
  for await (const part of Readable.from(chunks).pipe(compressedBlockDecoder())) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** A block whose header says what the test wants, with the right hash. */
function block(method: number, {packed, rawBytes}: {readonly packed: Uint8Array; readonly rawBytes: number}): Buffer {
  const bytes = Buffer.alloc(25 + packed.length);
  bytes[16] = method;
  bytes.writeUInt32LE(9 + packed.length, 17);
  bytes.writeUInt32LE(rawBytes, 21);
  bytes.set(packed, 25);
  const [low, high] = cityHash128(bytes.subarray(16));
  bytes.writeBigUInt64LE(low, 0);
  bytes.writeBigUInt64LE(high, 8);
  return bytes;
}

/** The codecs are optional packages: what needs one is skipped where it is not installed. */
const lz4 = await loadLz4();
const zstd = await loadZstd();

describe('compressed blocks', () => {
  test('the hash of blocks of every length is the one the engine wrote', () => {
    for (const hex of [SHORT_LZ4, ...Object.values(WRITTEN).map(([, text]) => text)]) {
      const bytes = Buffer.from(hex, 'hex');
      expect(cityHash128(bytes.subarray(16))).toEqual([bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(8)]);
    }
  });

  test.skipIf(lz4 === null)('blocks that the engine wrote are read, also when they come in pieces', async () => {
    for (const [rows, [, hex]] of Object.entries(WRITTEN)) {
      const raw = await unpacked(Buffer.from(hex, 'hex'), 7);
      expect(raw).toHaveLength(8 * Number(rows));
      expect(raw.subarray(0, 104).equals(WORDS.subarray(0, raw.length))).toBe(true);
    }
    const both = Buffer.concat([Buffer.from(SHORT_LZ4, 'hex'), Buffer.from(WRITTEN[2]?.[1] ?? '', 'hex')]);
    expect(await unpacked(both, 40)).toHaveLength(24);
  });

  test('what is packed comes back, whatever its length', async () => {
    const rng = seededRng(7);
    for (const length of [0, 1, 2, 7, 8, 15, 16, 17, 127, 128, 129, 143, 144, 200, 1_000, 70_000, 2 ** 20 + 1]) {
      const raw = Buffer.from(Uint8Array.from({length}, () => Math.floor(rng.next() * 4)));
      const packed = await toCompressedBlocks(raw);
      expect((await unpacked(packed, 65_000)).equals(raw)).toBe(true);
    }
  });

  test('a changed byte, a cut, an unknown method and a wrong length are errors', async () => {
    const good = Buffer.from(WRITTEN[13]?.[1] ?? '', 'hex');
    const changed = Buffer.from(good);
    changed[60] = (changed[60] ?? 0) ^ 1;
    await expect(unpacked(changed)).rejects.toThrow(/Checksum/);
    await expect(unpacked(good.subarray(0, 50))).rejects.toThrow(/cut short/);
    await expect(unpacked(block(0x77, {packed: WORDS, rawBytes: WORDS.length}))).rejects.toThrow(/0x77/);
    await expect(unpacked(block(0x02, {packed: WORDS, rawBytes: 5}))).rejects.toThrow(/says 5 bytes/);
    await expect(unpacked(Buffer.from('INSERT INTO t VALUES (1), (2), (3), (4)'))).rejects.toThrow(/at most/);
  });

  test.skipIf(lz4 === null || zstd === null)('a block that says little and holds much is refused', async () => {
    const zeros = Buffer.alloc(64 * 1024 ** 2);
    const small = (await zstd?.compress(zeros)) ?? zeros;
    expect(small.length).toBeLessThan(10_000);
    expect(zstdBytesMax(small)).toBeGreaterThanOrEqual(zeros.length);
    expect(zstdBytesMax(Buffer.concat([small, small]))).toBeGreaterThanOrEqual(2 * zeros.length);
    expect(zstdBytesMax(small.subarray(0, -1))).toBe(Number.POSITIVE_INFINITY);
    await expect(unpacked(block(0x90, {packed: small, rawBytes: 1_000}))).rejects.toThrow(/may hold more/);
    await expect(unpacked(block(0x90, {packed: small, rawBytes: zeros.length}))).rejects.toThrow(/at most/);
    const packed = lz4?.compressSync(Buffer.alloc(1_000_000)).subarray(4) ?? zeros;
    await expect(unpacked(block(0x82, {packed, rawBytes: 1_000}))).rejects.toThrow(/Cannot decompress|says/);
    const fair = Buffer.from('zstd block '.repeat(1_000));
    expect((await unpacked(block(0x90, {packed: (await zstd?.compress(fair)) ?? fair, rawBytes: fair.length}))).equals(fair)).toBe(true);
  });
});

describe('Accept-Encoding', () => {
  const body = Buffer.from('a row of many\n'.repeat(1_000));
  test.each([
    ['gzip, deflate, br', 'gzip'], ['GZIP', 'gzip'], ['gzip;q=0, br', 'br'], ['deflate;q=0.5', 'deflate'], ['gzip; q=0.0,deflate', 'deflate'], ['br', 'br'], ['identity', null], ['', null], ['gzip;q=0', null],
  ])('%s is answered in %s', async (asked, encoding) => {
    const answer = await encodeBody(body, asked);
    expect(answer.encoding).toBe(encoding);
    const decoded = encoding === null ? answer.body : await collected(Readable.from([Buffer.from(answer.body)]).pipe(decoderFor(encoding, body.length)));
    expect(Buffer.from(decoded).equals(body)).toBe(true);
  });

  test('a zstd body is measured before it unfolds', async context => {
    if (zstd === null) return context.skip('the optional package @mongodb-js/zstd is not installed');
    const packed = await zstd.compress(Buffer.alloc(4 * 1024 ** 2));
    await expect(collected(Readable.from([packed]).pipe(decoderFor('zstd', 1024 ** 2)))).rejects.toThrow(/may hold more than 1048576 bytes/);
    expect(await collected(Readable.from([packed]).pipe(decoderFor('zstd', 5 * 1024 ** 2)))).toHaveLength(4 * 1024 ** 2);
  });
});

async function collected(parts: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of parts) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
