import {committedOffsets} from '../closing/committed-offsets.ts';
import type {Config} from '../config/load.ts';
import {AssayError} from '../core/errors.ts';
import {LIVE_STREAM, LIVE_TOPIC, type Stream} from '../core/streams.ts';
import {durationMs, type EpochMs, epochMs} from '../core/units.ts';
import type {ExperimentRegistry} from '../experiment/registry.ts';
import {onlyStreamHolding} from '../experiment/state.ts';
import type {EventLog} from '../log/event-log.ts';
import type {Platform} from './platform.ts';

/** The live stream as configured; once announced it never changes. */
export function liveStream(config: Config): Stream {
  return {
    name: LIVE_STREAM,
    kind: 'live',
    topic: LIVE_TOPIC,
    latenessMs: durationMs(config.number('live.lateness_ms')),
    sliceMs: durationMs(config.number('live.slice_ms')),
    maxAgeMs: durationMs(config.number('live.max_age_ms')),
    partitions: config.number('live.partitions'),
  };
}

/** Announces the live stream and makes its topic, as the first announcement has it. */
export async function openLiveStream({config, log, registry}: Platform): Promise<Stream> {
  const known = registry.snapshot().streams.get(LIVE_STREAM);
  await createStreamTopic(log, known ?? liveStream(config));
  return known ?? announceOnce(registry, liveStream(config));
}

/** Several processes start at once; the first announcement counts for all, whatever the others are configured with. */
async function announceOnce(registry: ExperimentRegistry, stream: Stream): Promise<Stream> {
  try {
    return await registry.announceStream(stream);
  } catch (error) {
    const first = registry.snapshot().streams.get(stream.name);
    if (first !== undefined && error instanceof AssayError && error.code === 'ASSAY_EXPERIMENT_CONFLICT') return first;
    throw error;
  }
}

/** The topic comes first, so that workers find it when they see the record; then events (DESIGN §3). */
export async function openProducedStream({log, registry}: Pick<Platform, 'log' | 'registry'>, stream: Stream): Promise<Stream> {
  const known = registry.snapshot().streams.get(stream.name);
  if (known !== undefined && known.kind !== stream.kind) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `stream ${stream.name} exists and is of kind ${known.kind}; choose another with --stream`);
  }
  await createStreamTopic(log, known ?? stream);
  return known ?? registry.announceStream(stream);
}

async function createStreamTopic(log: EventLog, stream: Stream): Promise<void> {
  await log.createTopic({topic: stream.topic, partitions: stream.partitions, clock: stream.kind === 'live' ? 'log' : 'producer', retentionMs: null});
}

/**
 * The stream a command without `--stream` means: the live one once it holds an outcome,
 * otherwise the only one there is. Of an experiment that a single stream holds, that one.
 * @throws AssayError ASSAY_STREAM_AMBIGUOUS naming the streams, ASSAY_NOT_FOUND.
 */
export async function defaultStream({warehouse, registry}: Pick<Platform, 'warehouse' | 'registry'>, named?: string, experiment?: string): Promise<Stream> {
  const state = registry.snapshot();
  const {streams} = state;
  const names = [...streams.keys()].join(', ');
  if (named !== undefined) {
    const stream = streams.get(named);
    if (stream !== undefined) return stream;
    throw new AssayError('ASSAY_NOT_FOUND', `there is no stream ${named}; ${names === '' ? 'there is none at all yet' : `the streams are ${names}`}`);
  }
  const holder = experiment === undefined ? undefined : onlyStreamHolding(state, experiment);
  const held = holder === undefined ? undefined : streams.get(holder);
  if (held !== undefined) return held;
  const live = streams.get(LIVE_STREAM);
  const others = [...streams.values()].filter(stream => stream !== live);
  if (live !== undefined && (others.length === 0 || (await holdsOutcomes(warehouse, live)))) return live;
  const [only, second] = others;
  if (only === undefined) throw new AssayError('ASSAY_NOT_FOUND', 'there is no stream yet; publish events, import a file or run the demo first');
  if (second !== undefined) throw new AssayError('ASSAY_STREAM_AMBIGUOUS', `there are several streams (${names}); say which with --stream`);
  return only;
}

/**
 * From when a person's change of an experiment holds: in a simulation, whose time is its own,
 * after all that has arrived; elsewhere the log's clock says it.
 */
export async function validFromIn({log, warehouse, registry}: Pick<Platform, 'log' | 'warehouse' | 'registry'>, stream: string): Promise<{readonly validFrom?: EpochMs}> {
  const known = registry.snapshot().streams.get(stream);
  if (known?.kind !== 'simulation') return {};
  const progress = await warehouse.progress(known.name, await committedOffsets(log, known));
  return {validFrom: epochMs(Math.max(0, ...progress.map(at => (at === null ? 0 : at + 1))))};
}

/** Records in its topic prove nothing: `up` sends ticks. */
async function holdsOutcomes(warehouse: Platform['warehouse'], stream: Stream): Promise<boolean> {
  const {firstSliceStart} = await warehouse.closingState(stream.name);
  return firstSliceStart !== null;
}
