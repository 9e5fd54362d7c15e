import {mkdtemp, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {epochMs} from '../../../src/core/units.ts';
import {crc32, crc32ByTable} from '../../../src/log/embedded/crc32.ts';
import {openEmbeddedEventLog} from '../../../src/log/embedded/embedded-event-log.ts';
import type {LogRecord} from '../../../src/log/event-log.ts';
import {type LogFile, type LogFiles, NODE_FILES} from '../../../src/log/embedded/log-files.ts';
import {AssayError} from '../../../src/core/errors.ts';
import {
  collect,
  consumerOf,
  must,
  numbered,
  readAll,
  systemClock,
} from '../../contract/event-log.contract.ts';

const root = await mkdtemp(join(tmpdir(), 'assay-faults-'));
afterAll(() => rm(root, {recursive: true, force: true}));
const freshDirectory = (): Promise<string> => mkdtemp(join(root, 'log-'));
const TOPIC = {topic: 'events', partitions: 2, clock: 'log', retentionMs: null} as const;
const UNAVAILABLE = {code: 'ASSAY_LOG_UNAVAILABLE'};

type Faults = {writes: number; syncs: number; truncates: number; synced: number};

/** The real files, with a disk that is full or broken for so many calls on segments. */
function faultyFiles(): {files: LogFiles; faults: Faults} {
  const faults: Faults = {writes: 0, syncs: 0, truncates: 0, synced: 0};
  const full = (): AssayError =>
    new AssayError('ASSAY_LOG_UNAVAILABLE', 'cannot write: ENOSPC: no space left on device');
  const wrap = (file: LogFile): LogFile => {
    if (!file.path.includes('events@')) return file;
    const isSegment = file.path.endsWith('.segment');
    return {
      path: file.path,
      read: (position, length) => file.read(position, length),
      size: () => file.size(),
      close: () => file.close(),
      truncate: async size => {
        if (faults.truncates > 0 && faults.truncates-- > 0) throw full();
        await file.truncate(size);
      },
      write: async (buffers, position) => {
        if (isSegment && faults.writes > 0 && faults.writes-- > 0) {
          const whole = Buffer.concat(buffers);
          await file.write([whole.subarray(0, whole.length / 2)], position);
          throw full();
        }
        await file.write(buffers, position);
      },
      sync: async () => {
        if (isSegment && faults.syncs > 0 && faults.syncs-- > 0) throw full();
        if (isSegment) faults.synced++;
        await file.sync();
      },
    };
  };
  const files: LogFiles = {
    ...NODE_FILES,
    open: async (path, mode) => wrap(await NODE_FILES.open(path, mode)),
  };
  return {files, faults};
}

describe('a full or broken disk', () => {
  test('a failed write is refused, leaves nothing behind, and the next append succeeds', async () => {
    const {files, faults} = faultyFiles();
    const directory = await freshDirectory();
    const log = await openEmbeddedEventLog({directory, clock: systemClock, files});
    await log.createTopic(TOPIC);
    await log.append('events', numbered(3, 0));
    faults.writes = 1;
    await expect(log.append('events', numbered(50, 0))).rejects.toMatchObject(UNAVAILABLE);
    expect((await log.offsets('events'))[0]?.end).toBe(3n);
    expect(await log.append('events', numbered(1, 0))).toEqual([{partition: 0, offset: 3n}]);
    await log.close();
    const again = await openEmbeddedEventLog({directory, clock: systemClock});
    expect(await readAll(again, 'events', 0)).toHaveLength(4);
    await again.close();
  });

  test('after a failed sync everything is refused until the log is opened again', async () => {
    const {files, faults} = faultyFiles();
    const directory = await freshDirectory();
    const log = await openEmbeddedEventLog({directory, clock: systemClock, files});
    await log.createTopic(TOPIC);
    await log.append('events', numbered(3, 0));
    faults.syncs = 1;
    await expect(log.append('events', numbered(5, 0))).rejects.toMatchObject(UNAVAILABLE);
    await expect(log.append('events', numbered(5, 0))).rejects.toThrow('until it is opened again');
    expect(await readAll(log, 'events', 0)).toHaveLength(3);
    await log.close();
    const again = await openEmbeddedEventLog({directory, clock: systemClock});
    // Three acknowledged; the five may have reached the disk, as a whole or not at all.
    expect([3, 8]).toContain((await readAll(again, 'events', 0)).length);
    await again.append('events', numbered(1, 0));
    await again.close();
  });

  test('a write that can neither be finished nor cut off is cut off at the next open', async () => {
    const {files, faults} = faultyFiles();
    const directory = await freshDirectory();
    const log = await openEmbeddedEventLog({directory, clock: systemClock, files});
    await log.createTopic(TOPIC);
    await log.append('events', numbered(3, 0));
    Object.assign(faults, {writes: 1, truncates: 1});
    await expect(log.append('events', numbered(50, 0))).rejects.toMatchObject(UNAVAILABLE);
    await log.close();
    const warned: unknown[] = [];
    const logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: (message: string) => warned.push(message),
      error: () => undefined,
    };
    const again = await openEmbeddedEventLog({directory, clock: systemClock, logger});
    expect(await readAll(again, 'events', 0)).toHaveLength(3);
    expect(warned).toEqual(['unacknowledged end of the log cut off']);
    await again.close();
  });

  test('a file in the place of the directory is a clear error', async () => {
    const opening = openEmbeddedEventLog({directory: import.meta.filename, clock: systemClock});
    await expect(opening).rejects.toMatchObject({
      ...UNAVAILABLE,
      message: expect.stringContaining('faults.test.ts'),
    });
  });
});

test('appends that wait for a sync share the next one', async () => {
  const {files, faults} = faultyFiles();
  const log = await openEmbeddedEventLog({directory: await freshDirectory(), clock: systemClock, files});
  await log.createTopic(TOPIC);
  faults.synced = 0;
  await Promise.all(Array.from({length: 200}, () => log.append('events', numbered(1, 0))));
  expect(faults.synced).toBeLessThanOrEqual(3);
  await log.close();
});

describe('retention', () => {
  test('removes whole old segments, keeps the newest, and survives reopening; a reader that fell behind is counted', async () => {
    let now = 1_700_000_000_000;
    const clock = {now: () => epochMs(now), sleep: systemClock.sleep};
    const counted: number[] = [];
    const metrics = {
      count: (_: string, by = 1) => counted.push(by),
      gauge: () => undefined,
      observe: () => undefined,
    };
    const directory = await freshDirectory();
    const log = await openEmbeddedEventLog({directory, clock, metrics});
    await log.createTopic({...TOPIC, retentionMs: 60_000});
    await log.createTopic({...TOPIC, topic: 'kept'});
    const consumer = await log.openConsumer(consumerOf('events'));
    await must(consumer, 0);
    for (let minute = 0; minute < 10; minute++) {
      await log.append('events', numbered(10, 0));
      await log.append('kept', numbered(10, 0));
      now += 20_000;
    }
    const [offsets] = await log.offsets('events');
    expect(offsets?.end).toBe(100n);
    expect(offsets?.start).toBe(60n);
    expect((await log.offsets('kept'))[0]?.start).toBe(0n);
    const segments = (await readdir(join(directory, 'topics/events@1'))).filter(name =>
      name.endsWith('.segment'),
    );
    expect(segments).toHaveLength(4);
    const event = await must(consumer, 0);
    expect(event.type === 'batch' && event.records[0]?.offset).toBe(60n);
    expect(counted).toEqual([60]);
    await log.close();

    now -= 20_000;
    const again = await openEmbeddedEventLog({directory, clock});
    expect((await again.offsets('events'))[0]).toEqual(offsets);
    expect(await readAll(again, 'events', 0)).toHaveLength(40);
    await again.close();
  });
});

test('commits are compacted to one snapshot, and the latest survives', async () => {
  const directory = await freshDirectory();
  const log = await openEmbeddedEventLog({directory, clock: systemClock});
  const partitions = 200;
  await log.createTopic({...TOPIC, partitions});
  await log.append('events', Array.from({length: partitions}, (_, p) => numbered(100, p)).flat());
  const consumer = await log.openConsumer(consumerOf('events'));
  await must(consumer, 0);
  for (let offset = 1n; offset <= 100n; offset++) {
    const commit = Array.from({length: partitions}, (_, partition) => ({partition, offset}));
    await Promise.all(Array.from({length: 20}, () => consumer.commit(commit)));
  }
  const segments = (await readdir(join(directory, 'topics/@commits'))).filter(name =>
    name.endsWith('.segment'),
  );
  expect(segments).toHaveLength(1);
  expect(segments[0]).not.toBe('000000000000.segment');
  await log.close();
  const again = await openEmbeddedEventLog({directory, clock: systemClock});
  expect(new Set(await again.committed('events', 'contract'))).toEqual(new Set([100n]));
  await again.close();
});

const contentOf = ({partition, offset, timestamp, key, value, headers}: LogRecord) => ({partition, offset, timestamp, key, value: Buffer.from(value).toString('hex'), headers});

test('readers at many places of a log with many segments each see what lies there', async () => {
  const directory = await freshDirectory();
  const log = await openEmbeddedEventLog({directory, clock: systemClock, segmentBytesMax: 300_000});
  await log.createTopic(TOPIC);
  for (let round = 0; round < 40; round++) {
    await log.append(
      'events',
      [...numbered(1 + ((round * 37) % 300), round % 2), ...numbered(40, 1)].map(r => ({
        ...r,
        value: Buffer.alloc(400, round),
      })),
    );
  }
  const all = await readAll(log, 'events', 1);
  for (let from = 0; from < all.length; from += 61) {
    const toOffset = BigInt(Math.min(all.length, from + 7));
    const part = await collect(log.read({topic: 'events', partition: 1, fromOffset: BigInt(from), toOffset}));
    expect(part.map(contentOf)).toEqual(all.slice(from, Number(toOffset)).map(contentOf));
  }
  await log.close();
});

test('both crc32 give the check value of the standard and continue from a seed', () => {
  const check = Buffer.from('123456789');
  for (const crc of [crc32, crc32ByTable]) {
    expect(crc(check)).toBe(0xcbf43926);
    expect(crc(check.subarray(4), crc(check.subarray(0, 4)))).toBe(0xcbf43926);
  }
});
