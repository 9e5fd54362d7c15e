import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {LIVE_STREAM, LIVE_TOPIC, type Stream, type StreamKind, streamTopic} from '../../src/core/streams.ts';
import {SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {durationMs, type EpochMs, epochMs} from '../../src/core/units.ts';
import {changeLifecycle, createExperiment, requireCurrent} from '../../src/experiment/change-experiment.ts';
import {parseDefinition, requireDefinition} from '../../src/experiment/definition.ts';
import {ExperimentRegistry} from '../../src/experiment/registry.ts';
import {MemoryEventLog} from '../../src/log/memory/memory-event-log.ts';
import {defaultStream, openProducedStream, validFromIn} from '../../src/roles/streams.ts';
import {SYSTEM_CLOCK} from '../../src/roles/system.ts';
import type {Platform} from '../../src/roles/platform.ts';

let log: MemoryEventLog;
let registry: ExperimentRegistry;
let holdsLive = false;
let progress: (EpochMs | null)[] = [];

const platform = (): Pick<Platform, 'log' | 'warehouse' | 'registry'> => ({
  log,
  registry,
  warehouse: {
    closingState: () => Promise.resolve({firstSliceStart: holdsLive ? epochMs(0) : null}),
    progress: () => Promise.resolve(progress),
  } as unknown as Platform['warehouse'],
});
const stream = (name: string, kind: StreamKind): Stream => ({
  name, kind, topic: name === LIVE_STREAM ? LIVE_TOPIC : streamTopic(name), latenessMs: durationMs(2_000), sliceMs: durationMs(10_000), maxAgeMs: null, partitions: 2,
});
const definition = (experiment: string) => requireDefinition(parseDefinition({experiment, variants: {a: 1, b: 1}, control: 'a'}), experiment);
const change = {author: 'ann', reason: 'because'};
const named = async (...asked: [string?, string?]): Promise<string> => (await defaultStream(platform(), ...asked)).name;

beforeEach(async () => {
  log = new MemoryEventLog({clock: SYSTEM_CLOCK, logger: SILENT_LOGGER});
  registry = await ExperimentRegistry.open({log, clock: SYSTEM_CLOCK, logger: SILENT_LOGGER});
  await registry.announceStream(stream(LIVE_STREAM, 'live'));
  for (const name of ['demo', 'night']) await openProducedStream(platform(), stream(name, 'simulation'));
  holdsLive = false;
  progress = [];
});
afterEach(async () => {
  await registry.close();
  await log.close();
});

describe('which stream is meant', () => {
  test('an experiment that one stream holds is meant there, one that several hold where the standing rule says', async () => {
    await createExperiment(registry, definition('only-demo'), {...change, stream: 'demo', validFrom: epochMs(1_000)});
    for (const [name, at] of [[LIVE_STREAM, {}], ['night', {validFrom: epochMs(1)}]] as const) await createExperiment(registry, definition('both'), {...change, stream: name, ...at});
    await expect(named()).rejects.toThrow(/several streams/);
    expect(await named(undefined, 'only-demo')).toBe('demo');
    await expect(named(undefined, 'both')).rejects.toThrow(/several streams/);
    holdsLive = true;
    expect([await named(), await named(undefined, 'only-demo'), await named(undefined, 'both'), await named(undefined, 'nowhere'), await named('night', 'only-demo')])
      .toEqual([LIVE_STREAM, 'demo', LIVE_STREAM, LIVE_STREAM, 'night']);
  });

  test('who names the wrong one is told the right one', async () => {
    await createExperiment(registry, definition('e'), {...change, stream: 'demo', validFrom: epochMs(1_000)});
    expect(() => requireCurrent(registry, LIVE_STREAM, 'e')).toThrow('stream live has no experiment e; there is one in demo: name the stream');
  });
});

describe('a person’s change', () => {
  test('holds after all that has arrived in a simulation, and from its append live', async () => {
    progress = [epochMs(5_000), epochMs(7_000)];
    expect(await validFromIn(platform(), LIVE_STREAM)).toEqual({});
    const from = await validFromIn(platform(), 'demo');
    expect(from).toEqual({validFrom: 7_001});
    await createExperiment(registry, definition('e'), {...change, stream: 'demo', validFrom: epochMs(1_000)});
    const started = await changeLifecycle(registry, 'start', {...change, stream: 'demo', experiment: 'e', ...from});
    expect([started.version, started.validFrom]).toEqual([2, 7_001]);
  });

  test('holds from the beginning of a simulation in which nothing has arrived', async () => {
    progress = [null, null];
    expect(await validFromIn(platform(), 'demo')).toEqual({validFrom: 0});
  });
});
