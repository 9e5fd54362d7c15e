import {describe, expect, test} from 'vitest';
import {seededRng} from '../../src/core/rng.ts';
import {LIMITS} from '../../src/core/limits.ts';
import {NO_METRICS, SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {epochMs} from '../../src/core/units.ts';
import {VirtualClock} from '../../src/simulate/faults/virtual-clock.ts';
import {Supervisor, type SupervisorOptions} from '../../src/worker/supervisor.ts';
import {STREAM, T0} from './worker-world.ts';

type Run = SupervisorOptions['run'];

function supervise(run: Run, streams: SupervisorOptions['streams'] = () => [STREAM]) {
  const rng = seededRng(1);
  const clock = new VirtualClock(T0, rng);
  const supervisor = new Supervisor({streams, run, clock, rng, logger: SILENT_LOGGER, metrics: NO_METRICS});
  return {clock, supervisor};
}

const untilAborted = (signal: AbortSignal): Promise<{reason: 'stopped'}> =>
  new Promise(resolve => signal.addEventListener('abort', () => resolve({reason: 'stopped'})));

describe('supervisor', () => {
  test('gives up after the allowed rebuilds in a row, not ready meanwhile', async () => {
    let tries = 0;
    const {clock, supervisor} = supervise(() => {
      tries++;
      return Promise.resolve({reason: 'rebuild', error: new Error('fenced')});
    });
    const end = await clock.run(supervisor.run(new AbortController().signal), epochMs(T0 + 600_000));
    expect(end).toMatchObject({reason: 'fatal'});
    expect(tries).toBe(LIMITS.consumerRebuildsMax + 1);
    expect(supervisor.readiness()).toEqual({isReady: false, streams: {live: 'rebuilding'}});
  });

  test('progress starts the count of tries anew', async () => {
    let tries = 0;
    const stop = new AbortController();
    const {clock, supervisor} = supervise((_, {onProgress, signal}) => {
      tries++;
      if (tries > 30) {
        stop.abort();
        return signal.aborted ? Promise.resolve({reason: 'stopped'}) : untilAborted(signal);
      }
      onProgress();
      return Promise.resolve({reason: 'rebuild', error: new Error('fenced')});
    });
    expect(await clock.run(supervisor.run(stop.signal), epochMs(T0 + 600_000))).toEqual({reason: 'stopped'});
  });

  test('a fatal worker stops the others and is reported', async () => {
    const other = {...STREAM, name: 'other'};
    const stopped: string[] = [];
    const {clock, supervisor} = supervise(
      async ({name}, {signal}) => {
        if (name === 'live') return {reason: 'fatal', error: new Error('rejected')};
        await untilAborted(signal);
        stopped.push(name);
        return {reason: 'stopped'};
      },
      () => [other, STREAM],
    );
    const end = await clock.run(supervisor.run(new AbortController().signal), epochMs(T0 + 600_000));
    expect(end).toMatchObject({reason: 'fatal', error: {message: 'rejected'}});
    expect(stopped).toEqual(['other']);
  });

  test('a stream that appears gets a worker', async () => {
    const streams = [STREAM];
    const started: string[] = [];
    const stop = new AbortController();
    const {clock, supervisor} = supervise(
      ({name}, {signal}) => {
        started.push(name);
        if (name === 'new') stop.abort();
        return signal.aborted ? Promise.resolve({reason: 'stopped'}) : untilAborted(signal);
      },
      () => streams,
    );
    const ended = supervisor.run(stop.signal);
    const later = clock.sleep(5_000).then(() => streams.push({...STREAM, name: 'new'}));
    await clock.run(Promise.all([ended, later]), epochMs(T0 + 600_000));
    expect(started).toEqual(['live', 'new']);
  });
});
