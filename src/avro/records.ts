import type {Exposure, LogEvent, Outcome, Tick} from '../core/events.ts';
import type {Stream} from '../core/streams.ts';
import type {EpochMs} from '../core/units.ts';

/** A version of an experiment as it lies on the experiments topic, not yet judged by the fold. */
export type ExperimentRecord = {
  readonly kind: 'experiment';
  readonly stream: string;
  readonly experiment: string;
  readonly version: number;
  readonly predecessor: number;
  readonly phase: number;
  /** The definition as a JSON document. */
  readonly definition: string;
  /** Owner of each of 10 000 slots; empty for imports. */
  readonly slots: Int8Array;
  /** One bit per slot of the layer; empty without a share of a layer. */
  readonly layerSlots: Uint8Array;
  readonly author: string;
  readonly reason: string;
  /** Virtual time; only simulations use it. */
  readonly validFrom: EpochMs | null;
};

/** The announcement of a stream on the experiments topic. */
export type StreamRecord = {readonly kind: 'stream'; readonly stream: Stream};

/** What lies on the experiments topic. */
export type ConfigRecord = ExperimentRecord | StreamRecord;

export type AnyRecord = LogEvent | ConfigRecord;

/** A record as avsc reads and writes it: the schema's names. */
export type Row = Readonly<Record<string, unknown>>;

/** One record type: its place in the schemas and its way to and from the core's types. */
type RecordMapping = {
  readonly fullName: string;
  readonly toRow: (record: never) => Row;
  readonly fromRow: (row: never) => AnyRecord;
};

type ExposureRow = {
  event_id: Uint8Array; experiment: string; variant: string; phase: number; unit_id: string; event_ts: EpochMs;
  config_version: number; reason: Exposure['reason']; item_id: string | null; session_id: string | null;
  sample_rate: number; trace_id: string; attributes: Record<string, string>;
};

type OutcomeRow = {
  event_id: Uint8Array; unit_id: string; event_ts: EpochMs; item_id: string | null; variant_hint: Record<string, string>;
  measures: Record<string, number>; status: Outcome['status']; sample_rate: number; trace_id: string;
  attributes: Record<string, string>;
};

type ExperimentRow = {
  stream: string; experiment: string; version: number; predecessor: number; phase: number; definition: string;
  slots: Uint8Array; layer_slots: Uint8Array; author: string; reason: string; valid_from: EpochMs | null;
};

type StreamRow = {
  name: string; kind: Stream['kind']; topic: string; lateness_ms: Stream['latenessMs']; slice_ms: Stream['sliceMs'];
  max_age_ms: Stream['maxAgeMs']; partitions: number;
};

export const MAPPINGS = {
  exposure: {
    fullName: 'assay.Exposure',
    toRow: (e: Exposure): Row => ({
      event_id: asBuffer(e.eventId), experiment: e.experiment, variant: e.variant, phase: e.phase, unit_id: e.unitId,
      event_ts: e.eventTs, config_version: e.configVersion, reason: e.reason, item_id: e.itemId, session_id: e.sessionId,
      sample_rate: e.sampleRate, trace_id: e.traceId, attributes: e.attributes,
    }),
    fromRow: (r: ExposureRow): Exposure => ({
      kind: 'exposure', eventId: Uint8Array.from(r.event_id), experiment: r.experiment, variant: r.variant, phase: r.phase,
      unitId: r.unit_id, eventTs: r.event_ts, configVersion: r.config_version, reason: r.reason, itemId: r.item_id,
      sessionId: r.session_id, sampleRate: r.sample_rate, traceId: r.trace_id, attributes: {...r.attributes},
    }),
  },
  outcome: {
    fullName: 'assay.Outcome',
    toRow: (o: Outcome): Row => ({
      event_id: asBuffer(o.eventId), unit_id: o.unitId, event_ts: o.eventTs, item_id: o.itemId, variant_hint: o.variantHint,
      measures: o.measures, status: o.status, sample_rate: o.sampleRate, trace_id: o.traceId, attributes: o.attributes,
    }),
    fromRow: (r: OutcomeRow): Outcome => ({
      kind: 'outcome', eventId: Uint8Array.from(r.event_id), unitId: r.unit_id, eventTs: r.event_ts, itemId: r.item_id,
      variantHint: {...r.variant_hint}, measures: {...r.measures}, status: r.status, sampleRate: r.sample_rate,
      traceId: r.trace_id, attributes: {...r.attributes},
    }),
  },
  tick: {
    fullName: 'assay.Tick',
    toRow: (t: Tick): Row => ({sent_ts: t.sentTs, owner: t.owner}),
    fromRow: (r: {sent_ts: EpochMs; owner: string}): Tick => ({kind: 'tick', sentTs: r.sent_ts, owner: r.owner}),
  },
  experiment: {
    fullName: 'assay.Experiment',
    toRow: (e: ExperimentRecord): Row => ({
      stream: e.stream, experiment: e.experiment, version: e.version, predecessor: e.predecessor, phase: e.phase,
      definition: e.definition, slots: asBuffer(e.slots), layer_slots: asBuffer(e.layerSlots), author: e.author,
      reason: e.reason, valid_from: e.validFrom,
    }),
    fromRow: (r: ExperimentRow): ExperimentRecord => ({
      kind: 'experiment', stream: r.stream, experiment: r.experiment, version: r.version, predecessor: r.predecessor,
      phase: r.phase, definition: r.definition, slots: Int8Array.from(new Int8Array(r.slots)),
      layerSlots: Uint8Array.from(r.layer_slots), author: r.author, reason: r.reason, validFrom: r.valid_from,
    }),
  },
  stream: {
    fullName: 'assay.Stream',
    toRow: ({stream: s}: StreamRecord): Row => ({
      name: s.name, kind: s.kind, topic: s.topic, lateness_ms: s.latenessMs, slice_ms: s.sliceMs, max_age_ms: s.maxAgeMs,
      partitions: s.partitions,
    }),
    fromRow: (r: StreamRow): StreamRecord => ({
      kind: 'stream',
      stream: {
        name: r.name, kind: r.kind, topic: r.topic, latenessMs: r.lateness_ms, sliceMs: r.slice_ms, maxAgeMs: r.max_age_ms,
        partitions: r.partitions,
      },
    }),
  },
} as const satisfies Readonly<Record<AnyRecord['kind'], RecordMapping>>;

export type RecordKind = keyof typeof MAPPINGS;

/** The kinds that lie on events topics; the others lie on the experiments topic. */
export const EVENT_KINDS: ReadonlySet<RecordKind> = new Set<RecordKind>(['exposure', 'outcome', 'tick']);

const KIND_BY_FULL_NAME = new Map(Object.entries(MAPPINGS).map(([kind, {fullName}]) => [fullName as string, kind as RecordKind]));

/** Which record type a schema describes, by its full name; undefined for a schema that is none of ours. */
export function kindOfSchema(schema: unknown): RecordKind | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined;
  const {name, namespace} = schema as Record<string, unknown>;
  const full = String(name).includes('.') ? String(name) : `${String(namespace)}.${String(name)}`;
  return KIND_BY_FULL_NAME.get(full);
}

/** avsc wants Buffers; the bytes are shared, not copied. */
const asBuffer = (bytes: Uint8Array | Int8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
