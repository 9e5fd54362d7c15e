import {describe, expect, test} from 'vitest';
import {runAudit} from '../../src/closing/audit.ts';
import {ledgerErrors} from '../../src/closing/audit.ts';
import {closableThrough, nextStep} from '../../src/closing/close-plan.ts';
import {Closer} from '../../src/closing/closer.ts';
import {NO_METRICS, SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {LIVE_TOPIC} from '../../src/core/streams.ts';
import {durationMs, epochMs} from '../../src/core/units.ts';
import {simConfig, simVersions, viewsAt} from '../../src/simulate/faults/sim-experiments.ts';
import {runWorker} from '../../src/worker/worker.ts';
import {exposure, GROUP, openWorld, outcome, send, STREAM, T0, type World} from '../worker/worker-world.ts';

function closerOver({log, warehouse, clock}: World, stream = STREAM): Closer {
  const config = simConfig(stream, simVersions(T0, null), () => clock.now());
  return new Closer({log, warehouse, config, clock, logger: SILENT_LOGGER, metrics: NO_METRICS});
}

/** A worker beside the test, stopped and drained in the end. */
async function withWorker(world: World, body: () => Promise<void>): Promise<void> {
  await world.run(async () => {
    const stop = new AbortController();
    const ended = runWorker(world.options(stop.signal));
    await body();
    stop.abort();
    await ended;
  });
}

describe('closing plan', () => {
  test.each([
    [T0 + 3_000, -1_000, 'progress at end + L: more may still arrive at that very time'],
    [T0 + 3_001, 1_000, 'progress past it'],
  ])('progress %i closes through %i: %s', (progress, through) => {
    expect(closableThrough(STREAM, epochMs(progress))).toBe(progress === T0 + 3_000 ? T0 : T0 + through);
  });

  test('a step ends where the versions valid at the slices\' cuts change', () => {
    const versions = simVersions(T0, epochMs(T0 + 5_500));
    const range = {
      stream: STREAM, from: T0, through: epochMs(T0 + 60_000), slicesMax: 60, emptyFrom: epochMs(T0 + 60_000),
      viewsAt: (at: number) => viewsAt(versions, epochMs(at)),
    };
    const first = nextStep(range);
    // The slice that ends at 3 s has its cut at 5 s; the next one's cut, 6 s, is in version 2.
    expect(first.through).toBe(T0 + 3_000);
    expect(first.views.map(({version}) => version)).toEqual([1, 1]);
    const second = nextStep({...range, from: first.through});
    expect(second.through).toBe(T0 + 60_000);
    expect(second.views.map(({version}) => version)).toEqual([2, 1]);
  });
});

describe('closer', () => {
  test('nothing closes while one partition has nothing; then slices close, each once', async () => {
    const world = await openWorld();
    const closer = closerOver(world);
    await withWorker(world, async () => {
      await send(world.log, exposure('a', T0), outcome('a', T0));
      await world.clock.sleep(500);
      expect(await closer.round(STREAM)).toMatchObject({progress: null, closedThrough: null, slicesClosed: 0});
      await world.clock.sleep(6_000);
      const first = await closer.round(STREAM);
      expect(first.slicesClosed).toBeGreaterThan(0);
      expect(await closer.round(STREAM)).toMatchObject({slicesClosed: 0, closedThrough: first.closedThrough});
      const rows = await world.warehouse.closedSlices('live', 'split');
      expect(rows.find(({metric, dimension}) => metric === 'score' && dimension === '')).toMatchObject({n: 1, isRevision: false});
    });
  });

  test('what comes late is in a revision, and asking again revises nothing', async () => {
    const world = await openWorld();
    const closer = closerOver(world);
    await withWorker(world, async () => {
      await send(world.log, exposure('a', T0), outcome('a', T0));
      await world.clock.sleep(6_000);
      await closer.closeAll(STREAM);
      await send(world.log, outcome('a', T0));
      await world.clock.sleep(4_000);
      expect(await closer.closeAll(STREAM)).toMatchObject({slicesRevised: 1});
      expect(await closer.closeAll(STREAM)).toMatchObject({slicesRevised: 0});
      const rows = await world.warehouse.closedSlices('live', 'split');
      expect(rows.find(({metric, dimension}) => metric === 'score' && dimension === '')).toMatchObject({n: 2, isRevision: true});
    });
  });

  test('in its own rounds a closer lets slices wait for others, a fifth of the lateness', async () => {
    const stream = {...STREAM, latenessMs: durationMs(60_000)};
    const world = await openWorld();
    const requests: number[] = [];
    const warehouse: World['warehouse'] = {
      ...world.warehouse,
      closeSlices: request => {
        requests.push(world.clock.now() - request.throughSlice);
        return world.warehouse.closeSlices(request);
      },
    };
    const closer = closerOver({...world, warehouse}, stream);
    await world.run(async () => {
      const stop = new AbortController();
      const ended = runWorker({...world.options(stop.signal), stream});
      const closing = closer.run(stop.signal);
      await send(world.log, exposure('a', T0), exposure('b', T0), exposure('c', T0));
      for (let second = 0; second < 180; second++) {
        await send(world.log, outcome('a', world.clock.now()), outcome('b', world.clock.now()), outcome('c', world.clock.now()));
        await world.clock.sleep(1_000);
      }
      stop.abort();
      await Promise.all([ended, closing]);
    });
    // Two minutes of slices of a second: one request for each dozen of them, none much later than that.
    expect(requests.length).toBeGreaterThan(5);
    expect(requests.length).toBeLessThan(12);
    expect(Math.max(...requests)).toBeLessThan(60_000 + 12_000 + 8_000);
  });

  test('two closers at once leave what one would', async () => {
    const world = await openWorld();
    const [one, other] = [closerOver(world), closerOver(world)];
    await withWorker(world, async () => {
      await send(world.log, exposure('a', T0), outcome('a', T0), exposure('b', T0, {variant: 't'}), outcome('b', epochMs(T0 + 1_500)));
      await world.clock.sleep(8_000);
      await Promise.all([one.closeAll(STREAM), other.closeAll(STREAM)]);
      const config = simConfig(STREAM, simVersions(T0, null), () => world.clock.now());
      const report = await runAudit({...world, config, stream: STREAM, slicesMax: null, logger: SILENT_LOGGER, metrics: NO_METRICS});
      expect(report).toMatchObject({mismatch: 0, slices_checked: 2, facts: 4, gaps: 0, details: []});
    });
  });
});

describe('audit', () => {
  test('says so when it checked no slice', async () => {
    const world = await openWorld();
    const config = simConfig(STREAM, [], () => T0);
    await world.run(async () => {
      const report = await runAudit({...world, config, stream: STREAM, slicesMax: null, logger: SILENT_LOGGER, metrics: NO_METRICS});
      expect(report).toMatchObject({mismatch: 0, slices_checked: 0});
    });
  });

  test('books that do not balance are named', () => {
    const books = {
      logEpoch: 1, partition: 4, firstOffset: 0n, endOffset: 10n, appended: 10, accepted: 7, duplicate: 1, conflict: 0,
      deadLettered: 1, forgotten: 0, ticks: 0, gaps: 0, facts: 6, outcomesAttributed: 3, outcomesCrossover: 0, outcomesUnattributed: 1,
    };
    expect(ledgerErrors(books)).toEqual([
      'partition 4: 10 appended, but 7 accepted + 1 duplicate + 1 dead-lettered + 0 forgotten',
      'partition 4: 7 accepted, but 6 facts',
    ]);
    expect(ledgerErrors({...books, appended: 9, facts: 7})).toEqual([]);
  });

  test('an offset committed before its rows are durable shows as a gap', async () => {
    const world = await openWorld();
    await world.run(async () => {
      await send(world.log, outcome('a', T0), outcome('a', T0));
      const partition = (await world.log.offsets(LIVE_TOPIC)).find(({end}) => end === 2n)?.partition ?? 0;
      const row = {logEpoch: 1, partition, offset: 0n, appendTs: T0, arrivalTs: T0, idHash: 0n, payloadHash: 0n} as const;
      await world.warehouse.insertFacts({
        stream: 'live', exposures: [], outcomes: [], deadLetters: [], arrivals: [{...row, kind: 'tick', code: ''}],
      });
      await world.log.setCommitted({topic: LIVE_TOPIC, group: GROUP, partition, offset: 2n});
      const config = simConfig(STREAM, [], () => T0);
      const report = await runAudit({...world, config, stream: STREAM, slicesMax: null, logger: SILENT_LOGGER, metrics: NO_METRICS});
      expect(report.gaps).toBe(1);
    });
  });
});
