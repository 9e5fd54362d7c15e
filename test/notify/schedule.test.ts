import {describe, expect, test} from 'vitest';
import {AssayError} from '../../src/core/errors.ts';
import {epochMs} from '../../src/core/units.ts';
import {newRow} from '../../src/notify/delivery-state.ts';
import {CronTimes, missedRun, runDigestSchedule} from '../../src/notify/schedule.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import {ManualClock, settle} from './manual-clock.ts';

const at = (iso: string) => epochMs(Date.parse(iso));
const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
const DAILY = new CronTimes('0 8 * * *');

async function storeSince(created: string) {
  const store = openMemoryWarehouse();
  await store.insertDeliveries([newRow({deliveryId: 'first', channel: 'ops', subject: '', body: '', contentType: ''}, {now: at(created), createdAt: at(created), state: 'due'})]);
  return store;
}

describe('times of a cron', () => {
  test('next is strictly after, last is at or before', () => {
    expect(iso(DAILY.nextAfter(at('2026-11-21T08:00:00.000Z')))).toBe('2026-11-22T08:00:00.000Z');
    expect(iso(DAILY.nextAfter(at('2026-11-21T07:59:59.999Z')))).toBe('2026-11-21T08:00:00.000Z');
    expect(iso(DAILY.lastUntil(at('2026-11-21T08:00:00.000Z')))).toBe('2026-11-21T08:00:00.000Z');
    expect(iso(DAILY.lastUntil(at('2026-11-21T07:59:59.999Z')))).toBe('2026-11-20T08:00:00.000Z');
  });

  test('a day with a changed clock has one run', () => {
    const berlin = new CronTimes('30 2 * * *', 'Europe/Berlin');
    const days: (string | null)[] = [];
    for (let time = berlin.nextAfter(at('2026-03-28T00:00:00.000Z')); time !== null && days.length < 3; time = berlin.nextAfter(time)) days.push(iso(time));
    expect(days).toEqual(['2026-03-28T01:30:00.000Z', '2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z']);
  });

  test.each([['99 * * * *', 'UTC'], ['nonsense', 'UTC'], ['0 8 * * *', 'Mars/Olympus']])('%j in %j is refused', (pattern, zone) => {
    expect(() => new CronTimes(pattern, zone)).toThrow(expect.objectContaining({code: 'ASSAY_CONFIG_INVALID'}));
  });
});

describe('digests', () => {
  test('are published at every time, and times missed while nothing ran are caught up once', async () => {
    const clock = new ManualClock('2026-11-21T10:00:00.000Z');
    const published: (string | null)[] = [];
    const stop = new AbortController();
    const store = await storeSince('2026-11-01T00:00:00.000Z');
    const running = runDigestSchedule({times: DAILY, publish: async time => published.push(iso(time)), store, clock}, stop.signal);
    await settle();
    expect(published).toEqual(['2026-11-21T08:00:00.000Z']);
    await clock.advance(48 * 3_600_000);
    expect(published.slice(1)).toEqual(['2026-11-22T08:00:00.000Z', '2026-11-23T08:00:00.000Z']);
    stop.abort();
    await running;
  });

  test('a machine that slept for days publishes one digest when it wakes', async () => {
    const clock = new ManualClock('2026-11-21T07:00:00.000Z');
    const published: (string | null)[] = [];
    const stop = new AbortController();
    const running = runDigestSchedule({times: DAILY, publish: async time => published.push(iso(time)), store: openMemoryWarehouse(), clock}, stop.signal);
    await settle();
    clock.set(at('2026-11-24T09:30:00.000Z'));
    await settle();
    expect(published).toEqual(['2026-11-24T08:00:00.000Z']);
    stop.abort();
    await running;
  });

  test('a new outbox has missed nothing', async () => {
    const now = at('2026-11-21T10:00:00.000Z');
    expect(await missedRun({times: DAILY, store: openMemoryWarehouse()}, now)).toBe(null);
    expect(await missedRun({times: DAILY, store: await storeSince('2026-11-21T09:00:00.000Z')}, now)).toBe(null);
    expect(iso(await missedRun({times: DAILY, store: await storeSince('2026-11-21T07:00:00.000Z')}, now))).toBe('2026-11-21T08:00:00.000Z');
  });

  test('a store that is away costs no digest', async () => {
    const clock = new ManualClock('2026-11-21T07:59:00.000Z');
    let tries = 0;
    const publish = async (): Promise<void> => {
      tries += 1;
      if (tries < 3) throw new AssayError('ASSAY_SINK_UNAVAILABLE', 'away');
    };
    const stop = new AbortController();
    const running = runDigestSchedule({times: DAILY, publish, store: openMemoryWarehouse(), clock}, stop.signal);
    await settle();
    await clock.advance(5 * 60_000);
    expect(tries).toBe(3);
    stop.abort();
    await running;
  });
});
