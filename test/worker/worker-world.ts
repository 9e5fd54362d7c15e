import {checkEvent} from '../../src/avro/check-event.ts';
import {makeEventId} from '../../src/avro/event-id.ts';
import {decodeRecord, encodeExposure, encodeOutcome, encodeTick} from '../../src/avro/released.ts';
import type {Exposure, Outcome} from '../../src/core/events.ts';
import type {ExperimentView} from '../../src/core/experiment.ts';
import {type Rng, seededRng} from '../../src/core/rng.ts';
import {DEAD_LETTERS_TOPIC, LIVE_TOPIC, type Stream} from '../../src/core/streams.ts';
import {type Metrics, SILENT_LOGGER} from '../../src/core/telemetry.ts';
import {durationMs, type EpochMs, epochMs} from '../../src/core/units.ts';
import {MemoryEventLog} from '../../src/log/memory/memory-event-log.ts';
import {simVersions, viewsAt} from '../../src/simulate/faults/sim-experiments.ts';
import {VirtualClock} from '../../src/simulate/faults/virtual-clock.ts';
import type {MemoryWarehouseOptions} from '../../src/warehouse/memory/memory-state.ts';
import {openMemoryWarehouse} from '../../src/warehouse/memory/memory-warehouse.ts';
import type {Warehouse} from '../../src/warehouse/warehouse.ts';
import {openRecordHasher} from '../../src/worker/record-hasher.ts';
import type {WorkerOptions} from '../../src/worker/worker-options.ts';

export const T0 = epochMs(1_800_000_000_000);
export const GROUP = 'assay-worker';

export const STREAM: Stream = {
  name: 'live', kind: 'live', topic: LIVE_TOPIC, latenessMs: durationMs(2_000), sliceMs: durationMs(1_000),
  maxAgeMs: durationMs(3_600_000), partitions: 2,
};

export type World = {
  readonly clock: VirtualClock;
  readonly log: MemoryEventLog;
  readonly warehouse: Warehouse;
  readonly counters: Map<string, number>;
  readonly views: readonly ExperimentView[];
  readonly rng: Rng;
  options(signal: AbortSignal): WorkerOptions;
  /** Runs `task` in virtual time. */
  run<T>(task: () => Promise<T>): Promise<T>;
};

/** Log, warehouse and clock in memory, and the options of a worker over them. */
export async function openWorld(hooks: MemoryWarehouseOptions = {}): Promise<World> {
  const rng = seededRng(1);
  const clock = new VirtualClock(T0, rng);
  const log = new MemoryEventLog({clock});
  const warehouse = openMemoryWarehouse(hooks);
  const counters = new Map<string, number>();
  const metrics: Metrics = {
    count: (name, by = 1) => void counters.set(name, (counters.get(name) ?? 0) + by),
    gauge: (name, value) => void counters.set(name, value),
    observe: () => undefined,
  };
  const views = viewsAt(simVersions(T0, null), T0);
  const hasher = await openRecordHasher();
  await log.createTopic({topic: LIVE_TOPIC, partitions: STREAM.partitions, clock: 'log', retentionMs: null});
  await log.createTopic({topic: DEAD_LETTERS_TOPIC, partitions: 1, clock: 'log', retentionMs: null});
  return {
    clock, log, warehouse, counters, views, rng,
    options: signal => ({
      stream: STREAM, log, warehouse, hasher, codec: {decode: decodeRecord, check: checkEvent, encodeTick},
      views: () => views, clock, rng, logger: SILENT_LOGGER, metrics, owner: 'test', signal,
    }),
    run: task => clock.run(task(), epochMs(T0 + 3_600_000)),
  };
}

let serial = 0;
const tail = (): Uint8Array => {
  serial += 1;
  return Uint8Array.from({length: 10}, (_, index) => (serial >> (index % 4)) + index * 7 + serial);
};

export function exposure(unitId: string, at: EpochMs, changes: Partial<Exposure> = {}): Exposure {
  return {
    kind: 'exposure', eventId: makeEventId(at, tail()), experiment: 'split', variant: 'c', phase: 1, unitId, eventTs: at,
    configVersion: 1, reason: 'assigned', itemId: null, sessionId: null, sampleRate: 1, traceId: '', attributes: {}, ...changes,
  };
}

export function outcome(unitId: string, at: EpochMs, changes: Partial<Outcome> = {}): Outcome {
  return {
    kind: 'outcome', eventId: makeEventId(at, tail()), unitId, eventTs: at, itemId: null, variantHint: {}, measures: {score: 1},
    status: 'ok', sampleRate: 1, traceId: '', attributes: {}, ...changes,
  };
}

export async function send(log: MemoryEventLog, ...events: readonly (Exposure | Outcome | Uint8Array)[]): Promise<void> {
  await log.append(
    LIVE_TOPIC,
    events.map(event => {
      if (event instanceof Uint8Array) return {key: 'rubbish', value: event};
      return {key: event.unitId, value: event.kind === 'exposure' ? encodeExposure(event) : encodeOutcome(event)};
    }),
  );
}

/** Facts of all partitions. */
export async function outcomesIn(warehouse: Warehouse): Promise<string[]> {
  const units: string[] = [];
  for (let partition = 0; partition < STREAM.partitions; partition++) {
    const query = {stream: 'live', logEpoch: 1, partition, belowOffset: 1_000_000n, from: epochMs(0)};
    for await (const outcomes of warehouse.openOutcomes(query)) units.push(...outcomes.map(({unitId}) => unitId));
  }
  return units.sort();
}
