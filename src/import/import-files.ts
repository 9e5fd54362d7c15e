import type {Clock} from '../core/clock.ts';
import {AssayError} from '../core/errors.ts';
import type {Event, Tick} from '../core/events.ts';
import type {Stream} from '../core/streams.ts';
import {addMs, durationMs, type EpochMs, epochMs, sliceStartOf} from '../core/units.ts';
import type {EventLog, NewRecord} from '../log/event-log.ts';
import type {ImportMap} from './import-map.ts';
import {readRows} from './read-rows.ts';
import {type ImportedEvent, rowsToEvents} from './rows-to-events.ts';

export type ImportFile = {readonly path: string; readonly map: ImportMap};

/** What an experiment looks like in the files: the material of its draft definition. */
export type ImportedExperiment = {
  readonly experiment: string;
  readonly design: ImportMap['design'];
  readonly control: string | null;
  readonly variants: readonly string[];
  readonly weights: Readonly<Record<string, number>> | null;
  readonly measures: readonly string[];
};

export type ImportPlan = {
  /** In the order of arrival. */
  readonly events: readonly ImportedEvent[];
  readonly experiments: readonly ImportedExperiment[];
  readonly rows: number;
  readonly rowsFiltered: number;
};

/** Events held in memory while they are put in order. */
const EVENTS_MAX = 6_000_000;

/**
 * Reads every file and puts their events into one order: by arrival, then as written.
 * Nothing has been sent when this throws.
 * @throws AssayError ASSAY_INPUT_UNREADABLE naming file, row, value and fix.
 */
export function planImport(files: readonly ImportFile[]): ImportPlan {
  const events: ImportedEvent[] = [];
  const experiments = new Map<string, ImportedExperiment>();
  let rows = 0;
  let rowsFiltered = 0;
  for (const {path, map} of files) {
    const file = readRows(path, map.format);
    const mapped = rowsToEvents(file, map);
    rows += mapped.rows;
    rowsFiltered += mapped.rowsFiltered;
    if (events.length + mapped.events.length > EVENTS_MAX) {
      throw new AssayError('ASSAY_INPUT_UNREADABLE', `${path} brings the import to over ${EVENTS_MAX} events; split the files by time and import them one after another into the same --stream`);
    }
    for (const event of mapped.events) events.push(event);
    const found = experimentOf(map, mapped.variants);
    experiments.set(found.experiment, mergeExperiments(experiments.get(found.experiment), found));
  }
  events.sort((a, b) => a.arrivalTs - b.arrivalTs);
  return {events, experiments: [...experiments.values()], rows, rowsFiltered};
}

function experimentOf(map: ImportMap, seen: ReadonlySet<string>): ImportedExperiment {
  const hashed = 'hash' in map.variant ? Object.fromEntries(map.variant.hash.variants) : null;
  const weights = map.weights ?? hashed;
  const variants = new Set([...(hashed === null ? [] : Object.keys(hashed)), ...(weights === null ? [] : Object.keys(weights)), ...[...seen].sort()]);
  if (map.control !== null) variants.add(map.control);
  return {experiment: map.experiment, design: map.design, control: map.control, variants: [...variants], weights, measures: Object.keys(map.measures)};
}

function mergeExperiments(a: ImportedExperiment | undefined, b: ImportedExperiment): ImportedExperiment {
  if (a === undefined) return b;
  if (a.design !== b.design) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `the maps give experiment ${a.experiment} the designs ${a.design} and ${b.design}; an experiment has one`);
  }
  if (a.control !== null && b.control !== null && a.control !== b.control) {
    throw new AssayError('ASSAY_CONFIG_INVALID', `the maps give experiment ${a.experiment} the controls ${a.control} and ${b.control}; an experiment has one`);
  }
  return {
    ...a,
    control: a.control ?? b.control,
    variants: [...new Set([...a.variants, ...b.variants])],
    weights: a.weights === null && b.weights === null ? null : {...a.weights, ...b.weights},
    measures: [...new Set([...a.measures, ...b.measures])],
  };
}

export type SendOptions = {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly stream: Stream;
  readonly encode: (event: Event) => Uint8Array;
  /** How many times faster than the events' own clock; null as fast as the log takes them. */
  readonly speed: number | null;
  readonly signal: AbortSignal;
  readonly onProgress: (sent: number) => void;
};

const BATCH_RECORDS = 2_000;
/** With a speed-up, events due within this long are sent together. */
const PACE_MS = 20;

/** Appends the planned events; the producer stamps the arrival. Resolves when all are durable. */
export async function sendEvents(events: readonly ImportedEvent[], options: SendOptions): Promise<void> {
  const {log, clock, stream, encode, speed, signal, onProgress} = options;
  const first = events[0]?.arrivalTs ?? epochMs(0);
  const startedAt = clock.now();
  for (let sent = 0; sent < events.length && !signal.aborted; ) {
    let end = Math.min(events.length, sent + BATCH_RECORDS);
    if (speed !== null) {
      const due = first + (clock.now() - startedAt) * speed;
      while (end > sent && (events[end - 1]?.arrivalTs ?? 0) > due) end -= 1;
      if (end === sent) {
        await clock.sleep(PACE_MS, signal);
        continue;
      }
    }
    const records: NewRecord[] = events.slice(sent, end).map(({event, arrivalTs}) => ({key: event.unitId, value: encode(event), timestamp: arrivalTs}));
    await log.append(stream.topic, records);
    sent = end;
    onProgress(sent);
  }
}

/** Moves every partition's clock to `at`, so that what ends before it can close. */
export async function sendTicks(options: {readonly log: EventLog; readonly stream: Stream; readonly at: EpochMs; readonly owner: string; readonly encodeTick: (tick: Tick) => Uint8Array}): Promise<void> {
  const {log, stream, at, owner, encodeTick} = options;
  const value = encodeTick({kind: 'tick', sentTs: at, owner});
  await log.append(stream.topic, Array.from({length: stream.partitions}, (_, partition) => ({key: null, partition, value, timestamp: at})));
}

/** Windows up to this size close with the import; a longer one may stay open at its end. */
const WINDOW_MS_MAX = 24 * 3_600_000;

/** The arrival time at which every window over these events can close: it may end up to its size after the last of them. */
export function closingTime(events: readonly ImportedEvent[], stream: Stream): EpochMs {
  let at = 0;
  for (const {event, arrivalTs} of events) {
    const sliceEnd = sliceStartOf(event.eventTs, stream.sliceMs) + stream.sliceMs;
    at = Math.max(at, arrivalTs, sliceEnd + WINDOW_MS_MAX + stream.latenessMs);
  }
  return addMs(epochMs(at), durationMs(1));
}
