import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {afterEach, describe, expect, test} from 'vitest';
import {eventIdToText} from '../../src/avro/event-id.ts';
import {DiskSpool} from '../../src/sdk/disk-spool.ts';
import {isUnitSampled} from '../../src/sdk/sampler.ts';
import {TokenBucket} from '../../src/sdk/token-bucket.ts';
import {openTestTracker} from './fixtures.ts';

const directories: string[] = [];
const newDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'assay-spool-'));
  directories.push(directory);
  return directory;
};
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, {recursive: true, force: true});
});

const spoolIn = (directory: string, bytesMax = 1e7): DiskSpool => new DiskSpool({directory, bytesMax, owner: 'test'});
const ALWAYS_SAMPLED = Array.from({length: 100}, (_, index) => `u${index}`).find(id => isUnitSampled(id, 0.1)) ?? '';
const idsOf = (events: readonly {eventId: Uint8Array}[]): string[] => events.map(({eventId}) => eventIdToText(eventId)).sort();

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 2_000 && !condition(); i += 1) await sleep(2);
  expect(condition()).toBe(true);
}

test('a batch under way is spooled, too, when the sender is closed while the disk is slow', async () => {
  const directory = newDirectory();
  let release: () => void = () => undefined;
  const gate = new Promise<void>(done => {
    release = done;
  });
  class SlowSpool extends DiskSpool {
    override async write(...given: Parameters<DiskSpool['write']>) {
      await gate;
      return super.write(...given);
    }
  }
  const {tracker, transport, sender} = openTestTracker({limits: {queueEventsMax: 100, batchEventsMax: 10, spillShare: 0.5}, spool: new SlowSpool({directory, bytesMax: 1e7, owner: 'test'})});
  transport.mode = 'down';
  for (let i = 0; i < 60; i += 1) tracker.outcome({unitId: ALWAYS_SAMPLED});
  await until(() => transport.tries > 0);
  const closed = sender.close(0);
  await sleep(50);
  release();
  await closed;
  const spool = spoolIn(directory);
  let kept = 0;
  for (let batch = await spool.read(); batch !== undefined; batch = await spool.read()) {
    kept += batch.events.length;
    await spool.remove(batch.file);
  }
  expect([kept, sender.counts.spooled, sender.counts.dropped]).toEqual([60, 60, 0]);
});

describe('batches', () => {
  test('500 events at once, the rest when it is old enough', async () => {
    const {tracker, transport} = openTestTracker({limits: {batchAgeMsMax: 30}});
    for (let i = 0; i < 1_250; i += 1) tracker.outcome({unitId: `u${i}`});
    await until(() => transport.events.length === 1_250);
    expect(transport.batches.map(batch => batch.length)).toEqual([500, 500, 250]);
    expect(transport.events.map(event => event.unitId)).toEqual(Array.from({length: 1_250}, (_, index) => `u${index}`));
  });

  test('a failed batch is sent again as it is, with nothing lost or twice', async () => {
    const {tracker, transport} = openTestTracker();
    transport.mode = 'down';
    for (let i = 0; i < 700; i += 1) tracker.outcome({unitId: `u${i}`});
    await until(() => transport.tries > 3);
    transport.mode = 'up';
    expect(await tracker.flush()).toBe(true);
    expect(new Set(idsOf(transport.events)).size).toBe(700);
    expect(transport.events).toHaveLength(700);
    expect(tracker.counts()).toMatchObject({offered: 700, sent: 700, dropped: 0, queued: 0});
    expect(tracker.counts().failures).toBeGreaterThan(2);
  });

  test('what is refused is not sent again', async () => {
    const {tracker, transport} = openTestTracker();
    transport.mode = 'refusing';
    tracker.outcome({unitId: 'u'});
    expect(await tracker.flush()).toBe(true);
    expect([transport.tries, tracker.counts().refused, tracker.counts().sent]).toEqual([1, 1, 0]);
  });
});

describe('a full queue', () => {
  test('without a spool the newest are dropped and counted; the books balance', async () => {
    const {tracker, transport} = openTestTracker({limits: {queueEventsMax: 100, batchEventsMax: 10}});
    transport.mode = 'hanging';
    for (let i = 0; i < 500; i += 1) tracker.outcome({unitId: 'u'});
    const counts = tracker.counts();
    expect(counts.queued).toBeLessThanOrEqual(110);
    expect(counts.dropped + counts.sampledOut + counts.queued).toBe(500);
    await tracker.close(20);
    expect(tracker.counts().dropped + tracker.counts().sampledOut).toBe(500);
  });

  test('with a spool nothing is dropped, memory stays bounded, and all arrives once when the log is back', async () => {
    const directory = newDirectory();
    const {tracker, transport, sender} = openTestTracker({spool: spoolIn(directory), limits: {queueEventsMax: 400, batchEventsMax: 50, batchAgeMsMax: 5}});
    transport.mode = 'down';
    let most = 0;
    for (let i = 0; i < 3_000; i += 1) {
      tracker.outcome({unitId: ALWAYS_SAMPLED});
      most = Math.max(most, sender.queued);
      // As fast as the disk allows.
      while (sender.pressure > 0.55) await sleep(1);
    }
    expect(most).toBeLessThanOrEqual(450);
    expect(tracker.counts().spooled).toBeGreaterThan(1_000);
    transport.mode = 'up';
    expect(await tracker.flush()).toBe(true);
    const {offered, sent, dropped, recovered, spooled} = tracker.counts();
    expect([sent, dropped]).toEqual([offered, 0]);
    expect(recovered).toBe(spooled);
    expect(new Set(idsOf(transport.events)).size).toBe(offered);
    expect(readdirSync(directory)).toEqual([]);
    await tracker.close();
  });
});

describe('the end', () => {
  test('what close() cannot deliver is in the spool, and the next process delivers it', async () => {
    const directory = newDirectory();
    const first = openTestTracker({spool: spoolIn(directory)});
    first.transport.mode = 'hanging';
    for (let i = 0; i < 1_100; i += 1) first.tracker.outcome({unitId: `u${i}`});
    await first.tracker.close(20);
    expect(first.tracker.counts()).toMatchObject({spooled: 1_100, dropped: 0});
    first.tracker.outcome({unitId: 'too late'});
    expect(first.tracker.counts().dropped).toBe(1);
    const second = openTestTracker({spool: spoolIn(directory)});
    await until(() => second.transport.events.length === 1_100);
    expect(new Set(second.transport.events.map(({unitId}) => unitId)).size).toBe(1_100);
    await second.tracker.close();
  });

  test('a spool that is full drops and counts; a damaged line is passed over and counted', async () => {
    const directory = newDirectory();
    const full = openTestTracker({spool: spoolIn(directory, 10)});
    full.transport.mode = 'down';
    full.tracker.outcome({unitId: 'u'});
    await full.tracker.close(5);
    expect(full.tracker.counts()).toMatchObject({spooled: 0, dropped: 1});
    writeFileSync(join(directory, '00000000000001-00000001-x.ndjson'), '{"torn');
    const next = openTestTracker({spool: spoolIn(directory)});
    await until(() => next.tracker.counts().dropped === 1);
    await next.tracker.close();
    expect(readdirSync(directory)).toEqual([]);
  });
});

test('the token bucket lets the rate through, saves up the burst, and no more', () => {
  const bucket = new TokenBucket({perSecond: 1_000, burst: 2_000, now: 0});
  expect([bucket.take(2_000, 0), bucket.take(500, 0), bucket.take(500, 499), bucket.take(500, 500)]).toEqual([0, 500, 1, 0]);
  expect(bucket.take(5_000, 10_000)).toBe(0);
  expect(bucket.take(1, 10_000)).toBe(1);
});
