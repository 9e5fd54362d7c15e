import {expect, test} from 'vitest';
import {LIVE_TOPIC} from '../../src/core/streams.ts';
import {retryDeadLetters} from '../../src/worker/retry-dead-letters.ts';
import {runWorker} from '../../src/worker/worker.ts';
import {openWorld, outcome, outcomesIn, send, STREAM, T0} from './worker-world.ts';
import {epochMs} from '../../src/core/units.ts';

test('what was from the future is accepted once the future has come; rubbish without bytes is left alone', async () => {
  const world = await openWorld();
  await world.run(async () => {
    const stop = new AbortController();
    const ended = runWorker(world.options(stop.signal));
    await send(world.log, outcome('early', epochMs(T0 + 90_000)));
    world.log.appendUnreadable({topic: LIVE_TOPIC, partition: 0, records: 1, timestamp: T0, reason: 'no codec'});
    await world.clock.sleep(120_000);
    const letters = await world.warehouse.deadLetters({stream: null, code: null, limit: 10});
    const ports = {log: world.log, streams: [STREAM]};
    expect(await retryDeadLetters(letters, ports)).toEqual({sent: 1, leftAlone: 1});
    expect(await retryDeadLetters(letters, ports)).toEqual({sent: 1, leftAlone: 1});
    await world.clock.sleep(3_000);
    stop.abort();
    await ended;
    expect(await outcomesIn(world.warehouse)).toEqual(['early']);
  });
});
