import {describe, expect, test} from 'vitest';
import {AssayError} from '../../src/core/errors.ts';
import {LIMITS} from '../../src/core/limits.ts';
import {DEAD_LETTERS_TOPIC, LIVE_TOPIC} from '../../src/core/streams.ts';
import {epochMs} from '../../src/core/units.ts';
import {runWorker} from '../../src/worker/worker.ts';
import {exposure, GROUP, openWorld, outcome, outcomesIn, send, T0} from './worker-world.ts';

describe('worker', () => {
  test('commits only what is durable, and everything on a graceful stop', async () => {
    const world = await openWorld();
    await world.run(async () => {
      const stop = new AbortController();
      const ended = runWorker(world.options(stop.signal));
      await send(world.log, exposure('a', T0), outcome('a', T0), outcome('b', T0), outcome('c', T0));
      await world.clock.sleep(300);
      expect(await outcomesIn(world.warehouse)).toEqual([]);
      stop.abort();
      expect(await ended).toEqual({reason: 'stopped'});
      expect(await outcomesIn(world.warehouse)).toEqual(['a', 'b', 'c']);
      const ends = (await world.log.offsets(LIVE_TOPIC)).map(({end}) => end);
      expect((await world.log.committed(LIVE_TOPIC, GROUP)).map(offset => offset ?? 0n)).toEqual(ends);
    });
  });

  test('while the sink refuses nothing is committed and consumption stops; afterwards everything is there', async () => {
    let isRefusing = true;
    const world = await openWorld({
      onCall: async operation => {
        if (isRefusing && operation === 'insertFacts') throw new AssayError('ASSAY_SINK_UNAVAILABLE', 'too many parts');
      },
    });
    await world.run(async () => {
      const stop = new AbortController();
      const ended = runWorker(world.options(stop.signal));
      await send(world.log, outcome('a', T0));
      await world.clock.sleep(5_000);
      await send(world.log, outcome('b', epochMs(T0 + 5_000)));
      await world.clock.sleep(60_000);
      expect(await world.log.committed(LIVE_TOPIC, GROUP)).toEqual([null, null]);
      expect(world.counters.get('assay_worker_paused_seconds_total')).toBeGreaterThan(50);
      isRefusing = false;
      await world.clock.sleep(LIMITS.retryBackoffMsMax + 3_000);
      expect(await outcomesIn(world.warehouse)).toEqual(['a', 'b']);
      stop.abort();
      await ended;
    });
  });

  test('the next flush is stored while the one before is finished, and no third one before that', async () => {
    let stored = 0;
    let finish = (): void => undefined;
    const finished = new Promise<void>(resolve => {
      finish = resolve;
    });
    const world = await openWorld({
      onCall: async operation => {
        if (operation === 'insertFacts') stored++;
        if (operation === 'insertProvisional') await finished;
      },
    });
    await world.run(async () => {
      const stop = new AbortController();
      const ended = runWorker(world.options(stop.signal));
      for (const unit of ['a', 'b', 'c']) {
        await send(world.log, exposure(unit, world.clock.now()), outcome(unit, world.clock.now()));
        await world.clock.sleep(3_000);
      }
      // The first, and the one behind it, though there is more than a flush to store since.
      expect(stored).toBe(2);
      expect(await outcomesIn(world.warehouse)).toContain('a');
      expect(await world.log.committed(LIVE_TOPIC, GROUP)).toEqual([null, null]);
      finish();
      await world.clock.sleep(3_000);
      expect(await outcomesIn(world.warehouse)).toEqual(['a', 'b', 'c']);
      stop.abort();
      expect(await ended).toEqual({reason: 'stopped'});
      expect(await world.log.committed(LIVE_TOPIC, GROUP)).not.toContain(null);
    });
  });

  test('a fatal answer of the sink ends the worker with its error, and no offset moves', async () => {
    const world = await openWorld({
      onCall: async operation => {
        if (operation === 'insertFacts') throw new AssayError('ASSAY_SINK_REJECTED', 'no such column');
      },
    });
    await world.run(async () => {
      const ended = runWorker(world.options(new AbortController().signal));
      await send(world.log, outcome('a', T0));
      expect(await ended).toMatchObject({reason: 'fatal', error: {code: 'ASSAY_SINK_REJECTED'}});
      expect(await world.log.committed(LIVE_TOPIC, GROUP)).toEqual([null, null]);
    });
  });

  test('a fenced consumer asks to be rebuilt', async () => {
    const world = await openWorld();
    await world.run(async () => {
      const ended = runWorker(world.options(new AbortController().signal));
      await world.clock.sleep(500);
      world.log.fence(LIVE_TOPIC, GROUP);
      expect(await ended).toMatchObject({reason: 'rebuild', error: {code: 'ASSAY_LOG_FENCED'}});
    });
  });

  test('a dead letter is kept in the warehouse and sent to its topic with its position and code', async () => {
    const world = await openWorld();
    await world.run(async () => {
      const stop = new AbortController();
      const ended = runWorker(world.options(stop.signal));
      await send(world.log, Uint8Array.of(1, 2, 3), outcome('a', epochMs(T0 + 90_000)));
      world.log.appendUnreadable({topic: LIVE_TOPIC, partition: 0, records: 3, timestamp: T0, reason: 'no codec'});
      await world.clock.sleep(2_000);
      stop.abort();
      await ended;
      const kept = await world.warehouse.deadLetters({stream: 'live', code: null, limit: 10});
      expect(kept.map(({code}) => code).sort()).toEqual(['from_future', 'undecodable', 'undecodable']);
      const [topic] = await world.log.offsets(DEAD_LETTERS_TOPIC);
      expect(topic?.end).toBe(3n);
      for await (const records of world.log.read({topic: DEAD_LETTERS_TOPIC, partition: 0, fromOffset: 0n, toOffset: 1n})) {
        expect(records[0]?.headers).toMatchObject({stream: 'live', code: expect.any(String), offset: expect.any(String)});
      }
      const offsets = (await world.log.committed(LIVE_TOPIC, GROUP)).map((offset, partition) => {
        return {logEpoch: 1, partition, offset: offset ?? 0n};
      });
      const books = await world.warehouse.ledger('live', offsets);
      expect(books.reduce((sum, {deadLettered}) => sum + deadLettered, 0)).toBe(5);
      expect(books.every(({gaps}) => gaps === 0)).toBe(true);
    });
  });

  test('an idle partition of the live stream gets one tick a second, also when the log is slow', async () => {
    const world = await openWorld();
    await world.run(async () => {
      const stop = new AbortController();
      const ended = runWorker(world.options(stop.signal));
      await world.clock.sleep(10_500);
      stop.abort();
      await ended;
      for (const {end} of await world.log.offsets(LIVE_TOPIC)) {
        expect(end).toBeGreaterThanOrEqual(7n);
        expect(end).toBeLessThanOrEqual(11n);
      }
    });
  });

  test('a new owner shows open slices with the outcomes of before', async () => {
    const world = await openWorld();
    await world.run(async () => {
      const first = new AbortController();
      const firstEnded = runWorker(world.options(first.signal));
      await send(world.log, exposure('a', T0), outcome('a', T0, {measures: {score: 2}}));
      await world.clock.sleep(1_500);
      first.abort();
      await firstEnded;
      const second = new AbortController();
      const secondEnded = runWorker(world.options(second.signal));
      await world.clock.sleep(100);
      const again = outcome('a', epochMs(T0 + 900), {measures: {score: 4}});
      await send(world.log, again, again);
      await world.clock.sleep(1_500);
      second.abort();
      await secondEnded;
      await world.warehouse.mirrorStream(world.options(second.signal).stream);
      const windows = await world.warehouse.windows({
        stream: 'live', experiment: 'split', sizeMs: 1_000, slideMs: 1_000, from: T0, to: epochMs(T0 + 1_000),
      });
      const score = windows.find(({metric}) => metric === 'score');
      expect(score).toMatchObject({n: 2, sum: 6, min: 2, max: 4, status: 'provisional', variant: 'c'});
    });
  });
});
