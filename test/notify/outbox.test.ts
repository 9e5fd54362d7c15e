import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {AssayError} from '../../src/core/errors.ts';
import {seededRng} from '../../src/core/rng.ts';
import type {Attempt, Channel, DeliveryResult, OutboundMessage} from '../../src/notify/channel.ts';
import {deliveryIdOf, type NewDelivery} from '../../src/notify/delivery-state.ts';
import {NOTIFY_LIMITS, RETRY_SCHEDULE_MS} from '../../src/notify/limits.ts';
import {Outbox} from '../../src/notify/outbox.ts';
import {retryAfterMs} from '../../src/notify/retry-after.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import type {DeliveryRow, OutboxStore} from '../../src/warehouse/warehouse.ts';
import {ManualClock, settle} from './manual-clock.ts';

const OK: DeliveryResult = {outcome: 'delivered', status: 204, durationMs: 3};
const GONE: DeliveryResult = {outcome: 'gone', status: 410, error: 'answered 410', durationMs: 1};
const fail = (status: number | null = 500, extra: Partial<Extract<DeliveryResult, {outcome: 'failed'}>> = {}): DeliveryResult => ({
  outcome: 'failed', status, error: `answered ${status}`, retryAfterMs: null, isSlowDown: false, durationMs: 2, ...extra,
});

/** A receiver by script; the last answer stays. */
class ScriptedChannel implements Channel {
  readonly kind = 'scripted';
  readonly name: string;
  readonly attempts: (OutboundMessage & Attempt)[] = [];
  answers: DeliveryResult[];

  constructor(name: string, answers: DeliveryResult[]) {
    this.name = name;
    this.answers = answers;
  }

  compose = () => ({body: '{}', contentType: 'application/json'});

  async deliver(message: OutboundMessage, attempt: Attempt): Promise<DeliveryResult> {
    this.attempts.push({...message, ...attempt});
    const [answer = OK, ...rest] = this.answers;
    if (rest.length > 0) this.answers = rest;
    return answer;
  }
}

const message = (name: string, channel = 'ops'): NewDelivery => ({
  deliveryId: deliveryIdOf(channel, [name]), channel, subject: name, body: `{"name":"${name}"}`, contentType: 'application/json',
});

type Setup = {readonly answers?: DeliveryResult[]; readonly store?: OutboxStore; readonly clock?: ManualClock; readonly seed?: number};

function setup({answers = [OK], store = openMemoryWarehouse(), clock = new ManualClock(), seed = 1}: Setup = {}) {
  const channel = new ScriptedChannel('ops', answers);
  const outbox = new Outbox({store, channels: [channel], clock, rng: seededRng(seed)});
  return {channel, outbox, store, clock};
}

/** Runs the outbox on the fake clock from due time to due time until nothing waits. */
async function runUntilIdle(outbox: Outbox, clock: ManualClock, roundsMax = 100): Promise<void> {
  for (let round = 0; round < roundsMax; round += 1) {
    const {nextDueAt} = await outbox.runDue();
    if (nextDueAt === null) return;
    clock.set(Math.max(clock.now(), nextDueAt));
  }
  throw new Error('the outbox did not come to rest');
}

describe('retries', () => {
  test('a dead receiver is tried ten times at the scheduled waits ± 20 %, then the delivery has failed', async () => {
    const {outbox, clock, channel, store} = setup({answers: [fail()]});
    const startedAt = clock.now();
    await outbox.enqueue(message('a'));
    await runUntilIdle(outbox, clock);

    expect(channel.attempts.map(attempt => attempt.number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const waits = channel.attempts.map((attempt, index) => attempt.at - (channel.attempts[index - 1]?.at ?? startedAt));
    waits.forEach((wait, index) => {
      const planned = RETRY_SCHEDULE_MS[index] ?? 0;
      expect(wait).toBeGreaterThanOrEqual(planned * 0.8);
      expect(wait).toBeLessThanOrEqual(planned * 1.2);
    });
    expect(new Set(waits.slice(1).map((wait, index) => wait / (RETRY_SCHEDULE_MS[index + 1] ?? 1))).size).toBe(9);
    expect(await store.delivery(message('a').deliveryId)).toMatchObject({state: 'failed', attempt: 10, last_status: 500, last_error: 'answered 500'});
    expect((await outbox.history(message('a').deliveryId)).map(row => row.attempt)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('property: whatever fails first, the message arrives with one id and one body', async () => {
    const failure = fc.constantFrom(fail(500), fail(302), fail(null), fail(429, {retryAfterMs: 90_000, isSlowDown: true}), fail(503, {retryAfterMs: 5}));
    await fc.assert(
      fc.asyncProperty(fc.array(failure, {maxLength: 9}), fc.integer(), async (failures, seed) => {
        const {outbox, clock, channel, store} = setup({answers: [...failures, OK], seed});
        await outbox.enqueue(message('a'));
        await runUntilIdle(outbox, clock);
        expect(channel.attempts).toHaveLength(failures.length + 1);
        expect(new Set(channel.attempts.map(attempt => `${attempt.deliveryId} ${attempt.body}`)).size).toBe(1);
        expect((await store.delivery(message('a').deliveryId))?.state).toBe('delivered');
      }),
      {numRuns: 60},
    );
  });

  test('Retry-After is waited for, and never undercut by jitter', async () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const {outbox, clock, channel} = setup({answers: [fail(503, {retryAfterMs: 120_000}), OK], seed});
      await outbox.enqueue(message('a'));
      await runUntilIdle(outbox, clock);
      const wait = (channel.attempts[1]?.at ?? 0) - (channel.attempts[0]?.at ?? 0);
      expect(wait).toBeGreaterThanOrEqual(120_000);
      expect(wait).toBeLessThanOrEqual(144_000);
    }
  });

  test('429 gives the whole channel a rest and leaves other channels alone', async () => {
    const {store, clock} = setup();
    const [slow, quick] = [new ScriptedChannel('ops', [fail(429, {isSlowDown: true, retryAfterMs: 60_000}), OK]), new ScriptedChannel('chat', [OK])];
    const outbox = new Outbox({store, channels: [slow, quick], clock, rng: seededRng(1)});
    await outbox.enqueue(message('a'));
    await outbox.runDue();
    await outbox.enqueue(message('b'));
    await outbox.enqueue(message('c', 'chat'));
    const summary = await outbox.runDue();
    expect(slow.attempts).toHaveLength(1);
    expect(quick.attempts).toHaveLength(1);
    expect(summary.nextDueAt).toBeGreaterThanOrEqual(clock.now() + 60_000);
    await runUntilIdle(outbox, clock);
    expect(slow.attempts).toHaveLength(3);
  });

  test('Retry-After in seconds, as a date, capped, and as nonsense', () => {
    const now = new ManualClock('2026-11-21T08:00:00.000Z').now();
    expect(retryAfterMs('120', now)).toBe(120_000);
    expect(retryAfterMs('Sat, 21 Nov 2026 08:01:00 GMT', now)).toBe(60_000);
    expect(retryAfterMs('Sat, 21 Nov 2026 07:00:00 GMT', now)).toBe(0);
    expect(retryAfterMs('99999999999', now)).toBe(NOTIFY_LIMITS.retryAfterMsMax);
    for (const nonsense of [undefined, '', '-5', 'soon', '1.5', '2']) expect(retryAfterMs(nonsense, now)).toBe(nonsense === '2' ? 2_000 : null);
  });
});

describe('idempotence', () => {
  test('the same message enqueued twice, also at once and after a restart, is one delivery', async () => {
    const {outbox, channel, store, clock} = setup();
    expect(await Promise.all([outbox.enqueue(message('a')), outbox.enqueue(message('a'))])).toEqual(['queued', 'known']);
    await outbox.runDue();
    const again = setup({store, clock});
    expect(await again.outbox.enqueue(message('a'))).toBe('known');
    await again.outbox.runDue();
    expect(channel.attempts).toHaveLength(1);
    expect(again.channel.attempts).toHaveLength(0);
  });

  test('killed at every write: everything due arrives at least once, under its own id, after the restart', async () => {
    for (let killAt = 1; killAt <= 12; killAt += 1) {
      const inner = openMemoryWarehouse();
      const clock = new ManualClock();
      let writes = 0;
      const store: OutboxStore = {
        ...inner,
        insertDeliveries: async rows => {
          writes += 1;
          if (writes >= killAt) throw new AssayError('ASSAY_SINK_UNAVAILABLE', 'killed');
          await inner.insertDeliveries(rows);
        },
      };
      const doomed = setup({store, clock, answers: [fail(), OK]});
      const names = ['a', 'b', 'c', 'd'];
      const attempt = async (): Promise<void> => {
        for (const name of names) await doomed.outbox.enqueue(message(name));
        await runUntilIdle(doomed.outbox, clock);
      };
      await attempt().catch(() => undefined);

      const fresh = setup({store: inner, clock, answers: [OK]});
      for (const name of names) await fresh.outbox.enqueue(message(name));
      await runUntilIdle(fresh.outbox, clock);
      const ids = new Set([...doomed.channel.attempts, ...fresh.channel.attempts].map(({deliveryId}) => deliveryId));
      expect(ids, `killed at write ${killAt}`).toEqual(new Set(names.map(name => message(name).deliveryId)));
      expect((await inner.deliveries({states: ['delivered'], limit: 10})).length).toBe(4);
    }
  });

  test('two runs at once post a message once', async () => {
    const {outbox, channel} = setup();
    for (let index = 0; index < 20; index += 1) await outbox.enqueue(message(`m${index}`));
    await Promise.all([outbox.runDue(), outbox.runDue('ops'), outbox.runDue()]);
    expect(channel.attempts).toHaveLength(20);
  });
});

describe('channels that are gone', () => {
  test('410 disables: the rest waits without attempts, new messages are kept, a redelivery that arrives releases all', async () => {
    const {outbox, channel, clock, store} = setup({answers: [GONE, OK]});
    await outbox.enqueue(message('a'));
    await outbox.runDue();
    expect(await outbox.enqueue(message('b'))).toBe('queued');
    await outbox.runDue();
    expect(channel.attempts).toHaveLength(1);
    expect((await store.deliveries({states: ['disabled'], limit: 9})).map(row => row.subject).sort()).toEqual(['a', 'b']);

    const restarted = setup({store, clock});
    await restarted.outbox.enqueue(message('c'));
    await restarted.outbox.runDue();
    expect(restarted.channel.attempts).toHaveLength(0);

    clock.set(clock.now() + 1_000);
    await restarted.outbox.redeliver(message('a').deliveryId);
    await runUntilIdle(restarted.outbox, clock);
    expect(restarted.channel.attempts.map(attempt => attempt.deliveryId).sort()).toEqual(['a', 'b', 'c'].map(name => message(name).deliveryId).sort());
    expect(await store.deliveries({states: ['due', 'disabled'], limit: 9})).toEqual([]);
  });

  test('120 hours of nothing but failures disable; a success in between starts the time again', async () => {
    const day = 24 * 3_600_000;
    const run = async (answersByDay: readonly DeliveryResult[]): Promise<DeliveryRow['state'][]> => {
      const {outbox, channel, clock, store} = setup();
      const startedAt = clock.now();
      for (const [index, answer] of answersByDay.entries()) {
        channel.answers = [answer];
        await outbox.enqueue(message(`day ${index}`));
        for (let next = (await outbox.runDue()).nextDueAt; next !== null && next < startedAt + (index + 1) * day; next = (await outbox.runDue()).nextDueAt) clock.set(next);
        clock.set(startedAt + (index + 1) * day);
      }
      return (await store.deliveries({states: [], limit: 99})).map(row => row.state);
    };
    expect(await run(Array.from({length: 5}, () => fail()))).not.toContain('disabled');
    expect(await run(Array.from({length: 7}, () => fail()))).toContain('disabled');
    expect(await run([fail(), fail(), fail(), OK, fail(), fail(), fail(), fail()])).not.toContain('disabled');
  });
});

describe('by hand', () => {
  test('a delivered message can be sent again under the same id; unknown ids are refused', async () => {
    const {outbox, channel, clock} = setup();
    await outbox.enqueue(message('a'));
    await outbox.runDue();
    clock.set(clock.now() + 60_000);
    await outbox.redeliver(message('a').deliveryId);
    await outbox.runDue();
    expect(channel.attempts.map(attempt => [attempt.deliveryId, attempt.number])).toEqual([1, 2].map(number => [message('a').deliveryId, number]));
    await expect(outbox.redeliver('msg_unknown')).rejects.toMatchObject({code: 'ASSAY_NOT_FOUND'});
  });
});

describe('the loop', () => {
  test('sends what is enqueued at once, retries on time, survives a store that is away, stops on the signal', async () => {
    const inner = openMemoryWarehouse();
    let isAway = false;
    const store: OutboxStore = {
      ...inner,
      deliveries: filter => (isAway ? Promise.reject(new AssayError('ASSAY_SINK_UNAVAILABLE', 'away')) : inner.deliveries(filter)),
    };
    const {outbox, channel, clock} = setup({store, answers: [fail(), OK]});
    const stop = new AbortController();
    const running = outbox.run(stop.signal);
    await settle();
    await outbox.enqueue(message('a'));
    await settle();
    expect(channel.attempts).toHaveLength(1);
    isAway = true;
    await clock.advance(4_000);
    isAway = false;
    await clock.advance(30_000);
    expect(channel.attempts).toHaveLength(2);
    await outbox.enqueue(message('b'));
    await settle();
    expect(channel.attempts).toHaveLength(3);
    stop.abort();
    await running;
  });

  test('a channel that hangs delays no other', async () => {
    const {store, clock} = setup();
    const stuck: Channel = {kind: 'stuck', name: 'ops', compose: () => ({body: '', contentType: ''}), deliver: () => new Promise(() => undefined)};
    const quick = new ScriptedChannel('chat', [OK]);
    const outbox = new Outbox({store, channels: [stuck, quick], clock, rng: seededRng(1)});
    const stop = new AbortController();
    void outbox.run(stop.signal);
    await outbox.enqueue(message('a'));
    await settle();
    await outbox.enqueue(message('b', 'chat'));
    await settle();
    expect(quick.attempts).toHaveLength(1);
    stop.abort();
  });
});
