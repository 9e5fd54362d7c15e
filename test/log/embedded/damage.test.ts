import {mkdir, mkdtemp, readFile, rm, truncate, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {AssayError} from '../../../src/core/errors.ts';
import {type Rng, seededRng} from '../../../src/core/rng.ts';
import {
  appendRound,
  type Content,
  contentOf,
  copyOf,
  fillSample,
  filesIn,
  openSample,
} from './store-samples.ts';

/** Places damaged per kind; ASSAY_DAMAGE_PLACES=2000 for a longer run. */
const PLACES = Number(process.env['ASSAY_DAMAGE_PLACES'] ?? 80);
/** Grows with the places: a place takes some tenths of a second on a busy machine. */
const PATIENCE_MS = Math.max(120_000, 2_000 * PLACES);
const SEED = Number(process.env['ASSAY_SEED'] ?? Date.now() % 1_000_000);

const root = await mkdtemp(join(tmpdir(), 'assay-damage-'));
const base = join(root, 'base');
let whole: Content;

beforeAll(async () => {
  console.log(`damage: seed ${SEED}, ${PLACES} places per kind (ASSAY_SEED, ASSAY_DAMAGE_PLACES)`);
  await fillSample(base);
  const log = await openSample(base);
  whole = await contentOf(log);
  await log.close();
});
afterAll(() => rm(root, {recursive: true, force: true}));

type Place = {readonly path: string; readonly at: number};
type Damage = (file: string, place: Place, rng: Rng) => Promise<void>;

const DAMAGES: Readonly<Record<string, Damage>> = {
  'a flipped bit': async (file, {at}, rng) => {
    const content = await readFile(file);
    content[at] = (content[at] ?? 0) ^ (1 << Math.floor(rng.next() * 8));
    await writeFile(file, content);
  },
  'a cut end': (file, {at}) => truncate(file, at),
  'a run of zeros': async (file, {at}, rng) => {
    const content = await readFile(file);
    content.fill(0, at, Math.min(content.length, at + 1 + Math.floor(rng.next() * 5_000)));
    await writeFile(file, content);
  },
  'foreign bytes in the middle': async (file, {at}, rng) => {
    const content = await readFile(file);
    await writeFile(
      file,
      Buffer.concat([
        content.subarray(0, at),
        rng.bytes(1 + Math.floor(rng.next() * 100)),
        content.subarray(at),
      ]),
    );
  },
};

describe('a store damaged at any place is refused with file and place, or complete', () => {
  for (const [kind, damage] of Object.entries(DAMAGES)) {
    test(kind, async () => {
      const rng = seededRng(SEED);
      let refused = 0;
      for (let i = 0; i < PLACES; i++) {
        const place = await placeIn(rng, i);
        const directory = await copyOf(base, join(root, 'damaged'));
        await damage(join(directory, place.path), place, rng);
        const result = await openAndRead(directory);
        if (result instanceof AssayError) {
          expect(result.message, describePlace(kind, place)).toContain(directory);
          expect(result.message).toMatch(/at byte \d+: /);
          refused++;
        } else {
          expect(result, describePlace(kind, place)).toEqual(whole);
        }
        await rm(directory, {recursive: true});
      }
      expect(refused).toBeGreaterThan(PLACES / 4);
    }, PATIENCE_MS);
  }

  test('each file removed', async () => {
    for (const {path} of await filesIn(base)) {
      const directory = await copyOf(base, join(root, 'damaged'));
      await rm(join(directory, path));
      expect(await openAndRead(directory), path).toMatchObject({code: 'ASSAY_LOG_CORRUPT'});
      await rm(directory, {recursive: true});
    }
  });

  test('two segments exchanged', async () => {
    const directory = await copyOf(base, join(root, 'damaged'));
    const segments = (await filesIn(directory))
      .filter(f => f.path.includes('events@1/0'))
      .map(f => join(directory, f.path));
    const [a = '', b = ''] = segments;
    const [bytesA, bytesB] = [await readFile(a), await readFile(b)];
    await writeFile(a, bytesB);
    await writeFile(b, bytesA);
    expect(await openAndRead(directory)).toMatchObject({code: 'ASSAY_LOG_CORRUPT'});
    await rm(directory, {recursive: true});
  });

  test('a record altered while the log is open is refused when it is read', async () => {
    const directory = await copyOf(base, join(root, 'damaged'));
    const log = await openSample(directory);
    const segment = join(directory, 'topics/events@1/000000000000.segment');
    const content = await readFile(segment);
    const at = content.indexOf('value 3 ');
    content[at] = 0x56;
    await writeFile(segment, content);
    await expect(contentOf(log)).rejects.toMatchObject({
      code: 'ASSAY_LOG_CORRUPT',
      message: expect.stringMatching(
        /000000000000\.segment at byte \d+: the record at offset \d+ of partition \d/,
      ),
    });
    await log.close();
    await rm(directory, {recursive: true});
  });
});

describe('a torn end behind the last acknowledged batch', () => {
  test('is cut off: every acknowledged record is there, and what else is there was appended, whole', async () => {
    const before = await copyOf(base, join(root, 'before'));
    const after = await copyOf(base, join(root, 'after'));
    const log = await openSample(after);
    for (let round = 40; round < 44; round++) await appendRound(log, 'events', round);
    const complete = await contentOf(log);
    await log.close();
    const ends = new Map((await filesIn(before)).map(f => [f.path, f.size]));
    const grown = (await filesIn(after)).filter(
      f => f.path.includes('events@1/0') && f.size > (ends.get(f.path) ?? 0),
    );
    expect(grown.length).toBeGreaterThan(0);
    const rng = seededRng(SEED);
    for (let i = 0; i < PLACES; i++) {
      const {path, size} = grown[i % grown.length] ?? {path: '', size: 0};
      const from = ends.get(path) ?? 0;
      const at = from + Math.floor(rng.next() * (size - from));
      const directory = await copyOf(after, join(root, 'torn'));
      // As after a power failure: the old head, and the new frames in part.
      await writeFile(
        join(directory, 'topics/events@1/head'),
        await readFile(join(before, 'topics/events@1/head')),
      );
      for (const later of grown.filter(f => f.path > path)) await rm(join(directory, later.path));
      if (i % 2 === 0) await truncate(join(directory, path), at);
      else await DAMAGES['a run of zeros']?.(join(directory, path), {path, at}, rng);
      const result = await openAndRead(directory);
      if (result instanceof AssayError) throw result;
      expect(result.committed).toEqual(whole.committed);
      result.records['events']?.forEach((records, partition) => {
        const acknowledged = whole.records['events']?.[partition] ?? [];
        expect(records.length, `seed ${SEED} place ${i}`).toBeGreaterThanOrEqual(acknowledged.length);
        expect(records).toEqual(complete.records['events']?.[partition]?.slice(0, records.length));
      });
      // And the log goes on from there.
      const again = await openSample(directory);
      await appendRound(again, 'events', 99);
      await again.close();
      const reopened = await openAndRead(directory);
      expect(reopened).not.toBeInstanceOf(AssayError);
      await rm(directory, {recursive: true});
    }
  }, PATIENCE_MS);
});

test('an empty directory and one with an unfinished first topic open empty', async () => {
  const directory = join(root, 'fresh');
  const log = await openSample(directory);
  expect(await log.listTopics()).toEqual([]);
  await log.close();
  await mkdir(join(directory, 'topics/half@1'));
  await writeFile(join(directory, 'topics/half@1/000000000000.segment'), 'x');
  const again = await openSample(directory);
  expect(await again.listTopics()).toEqual([]);
  await again.createTopic({topic: 'half', partitions: 1, clock: 'log', retentionMs: null});
  await again.close();
});

/** Every tenth place lies in a small file, the others anywhere, by size. */
async function placeIn(rng: Rng, turn: number): Promise<Place> {
  const files = await filesIn(base);
  if (turn % 10 === 0) {
    const small = files.filter(f => !f.path.endsWith('.segment'));
    const file = small[Math.floor(rng.next() * small.length)] ?? {path: '', size: 0};
    return {path: file.path, at: Math.floor(rng.next() * file.size)};
  }
  let at = Math.floor(rng.next() * files.reduce((sum, f) => sum + f.size, 0));
  for (const file of files) {
    if (at < file.size) return {path: file.path, at};
    at -= file.size;
  }
  throw new Error('unreachable');
}

const describePlace = (kind: string, {path, at}: Place): string =>
  `seed ${SEED}: ${kind} in ${path} at ${at}`;

/** What can be read, or the refusal. Anything else fails the test. */
async function openAndRead(directory: string): Promise<Content | AssayError> {
  try {
    const log = await openSample(directory);
    try {
      return await contentOf(log);
    } finally {
      await log.close();
    }
  } catch (error) {
    if (error instanceof AssayError && error.code === 'ASSAY_LOG_CORRUPT') return error;
    throw error;
  }
}
