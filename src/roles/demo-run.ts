import {assign} from '../assign/assign.ts';
import {AssayError} from '../core/errors.ts';
import {type Stream, streamTopic} from '../core/streams.ts';
import {addMs, durationMs, type EpochMs, epochMs} from '../core/units.ts';
import {parseDefinition, requireDefinition} from '../experiment/definition.ts';
import {currentOf, historyOf, versionAt} from '../experiment/state.ts';
import type {NewRecord} from '../log/event-log.ts';
import {partitionOf} from '../log/partitioner.ts';
import {DEMO_EXPERIMENTS} from '../simulate/demo-experiments.ts';
import {simulatePlatform, type SimulatedRecord} from '../simulate/llm-platform.ts';
import type {TopicCodec} from './codecs.ts';
import type {Platform} from './platform.ts';
import {openProducedStream} from './streams.ts';

/** What a simulated run is; the same options make the same records. */
export type SimulationOptions = {
  readonly stream: string;
  readonly seed: number;
  readonly users: number;
  readonly items: number;
  readonly lengthMs: number;
  readonly latenessMs: number;
  readonly partitions: number;
};

export const DEMO_OPTIONS: SimulationOptions = {
  stream: 'demo',
  seed: 20_260_105,
  users: 6_000,
  items: 400,
  lengthMs: 30 * 60_000,
  latenessMs: 2_000,
  partitions: 6,
};

/** Monday 2026-01-05 09:00 UTC: virtual time begins here, whenever the run is made. */
const START_TS = epochMs(Date.UTC(2026, 0, 5, 9));
const TICK_EVERY_MS = 10_000;
const BATCH_RECORDS = 1_000;

/** Announces the stream and starts the demo's experiments in it, unless an earlier run did. */
export async function openSimulation(platform: Platform, options: SimulationOptions): Promise<Stream> {
  const stream = await openProducedStream(platform, {
    name: options.stream,
    kind: 'simulation',
    topic: streamTopic(options.stream),
    latenessMs: durationMs(options.latenessMs),
    sliceMs: durationMs(10_000),
    maxAgeMs: null,
    partitions: options.partitions,
  });
  const {registry} = platform;
  for (const {experiment, document} of DEMO_EXPERIMENTS) {
    const definition = requireDefinition(parseDefinition(document), `experiment ${experiment}`);
    const current = (): string | undefined => currentOf(registry.snapshot(), stream.name, experiment)?.definition.lifecycle;
    const publish = (lifecycle: 'draft' | 'running') =>
      registry.publish({stream: stream.name, definition: {...definition, lifecycle}, author: 'demo', reason: `the demo’s ${lifecycle}`, validFrom: START_TS});
    if (current() === undefined) await publish('draft');
    if (current() === 'draft') await publish('running');
  }
  return stream;
}

/** Every record of the run per partition, ticks between them: what the producer will have sent when it is through. */
export async function planSimulation({registry, codecOf}: Pick<Platform, 'registry' | 'codecOf'>, stream: Stream, options: SimulationOptions): Promise<PlannedRecord[]> {
  const codec = await codecOf(stream.topic);
  const records = simulatePlatform({
    ...options,
    startTs: START_TS,
    assign: (experiment, unitId) => {
      // As it was run: what a person changed since then holds after it.
      const version = versionAt(historyOf(registry.snapshot(), stream.name, experiment), START_TS);
      if (version === undefined) throw new AssayError('ASSAY_NOT_FOUND', `experiment ${experiment} was not published`);
      return assign(version, {unitId}).variant;
    },
  });
  const planned: PlannedRecord[] = [];
  let nextTick = addMs(START_TS, durationMs(TICK_EVERY_MS));
  for (const record of records) {
    while (record.arrivalTs >= nextTick) {
      planned.push(...ticksAt(nextTick, stream, codec));
      nextTick = addMs(nextTick, durationMs(TICK_EVERY_MS));
    }
    planned.push(plannedRecord(record, stream, codec));
  }
  // The last slices end within ten seconds of the last event and wait L more.
  const last = records.at(-1)?.arrivalTs ?? START_TS;
  planned.push(...ticksAt(addMs(last, durationMs(stream.sliceMs + stream.latenessMs + 1)), stream, codec));
  return planned;
}

export type PlannedRecord = NewRecord & {readonly partition: number; readonly isEvent: boolean};

function plannedRecord({key, arrivalTs, event, poison}: SimulatedRecord, stream: Stream, codec: TopicCodec): PlannedRecord {
  const value = event === null ? (poison ?? new Uint8Array()) : codec.encode(event);
  return {key, value, timestamp: arrivalTs, partition: partitionOf(key, stream.partitions), isEvent: true};
}

function ticksAt(at: EpochMs, stream: Stream, codec: TopicCodec): PlannedRecord[] {
  const value = codec.encodeTick({kind: 'tick', sentTs: at, owner: 'simulation'});
  return Array.from({length: stream.partitions}, (_, partition) => ({key: null, value, timestamp: at, partition, isEvent: false}));
}

/**
 * Sends what is not in the log yet. A run that was killed left a prefix of each partition's
 * records there, so counting them tells where to go on.
 * @returns events sent now and in all
 */
export async function sendSimulation(
  {log}: Platform,
  request: {readonly stream: Stream; readonly planned: readonly PlannedRecord[]; readonly signal: AbortSignal; readonly onProgress: (sent: number) => void},
): Promise<{readonly sent: number; readonly events: number}> {
  const {stream, planned, signal, onProgress} = request;
  const there = new Map((await log.offsets(stream.topic)).map(({partition, end}) => [partition, Number(end)]));
  const left = planned.filter(({partition}) => {
    const count = there.get(partition) ?? 0;
    there.set(partition, count - 1);
    return count <= 0;
  });
  for (let at = 0; at < left.length && !signal.aborted; at += BATCH_RECORDS) {
    const batch = left.slice(at, at + BATCH_RECORDS);
    await log.append(stream.topic, batch.map(({isEvent: _, ...record}) => record));
    onProgress(planned.length - left.length + at + batch.length);
  }
  return {sent: left.filter(({isEvent}) => isEvent).length, events: planned.filter(({isEvent}) => isEvent).length};
}
