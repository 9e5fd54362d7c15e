import type {Exposure, ExposureReason, LogEvent, Outcome, OutcomeStatus, Tick} from '../core/events.ts';
import {LIMITS} from '../core/limits.ts';
import type {EpochMs} from '../core/units.ts';
import type {BodyReader} from './body-reader.ts';

/**
 * Hand-written decoders of the layouts that make up nearly all traffic, straight
 * into the core's types. A layout is bound to its fingerprint: when a new version
 * is released this one stays, and a decoder for the new one may join it; without
 * one records go the general way through avsc (`resolve-record.ts`). A property
 * test holds both ways equal.
 */
export const LAYOUTS: Readonly<Record<string, (reader: BodyReader) => LogEvent>> = {
  'exposure.v1': readExposure,
  'outcome.v1': readOutcome,
  'tick.v1': readTick,
};

const REASONS: readonly ExposureReason[] = ['assigned', 'override', 'fallback'];
const STATUSES: readonly OutcomeStatus[] = ['ok', 'client_error', 'server_error', 'timeout'];

function readExposure(reader: BodyReader): Exposure {
  reader.field = 'event_id';
  const eventId = reader.fixed(16);
  reader.field = 'experiment';
  const experiment = reader.name();
  reader.field = 'variant';
  const variant = reader.name();
  reader.field = 'phase';
  const phase = reader.int();
  reader.field = 'unit_id';
  const unitId = reader.string(LIMITS.unitIdCharsMax);
  reader.field = 'event_ts';
  const eventTs = reader.long() as EpochMs;
  reader.field = 'config_version';
  const configVersion = reader.int();
  reader.field = 'reason';
  const reason = REASONS[reader.index(REASONS.length, 'symbol')] ?? 'fallback';
  reader.field = 'item_id';
  const itemId = reader.nullableString(LIMITS.unitIdCharsMax);
  reader.field = 'session_id';
  const sessionId = reader.nullableString(LIMITS.unitIdCharsMax);
  const {sampleRate, traceId, attributes} = readTail(reader);
  return {
    kind: 'exposure', eventId, experiment, variant, phase, unitId, eventTs, configVersion, reason,
    itemId, sessionId, sampleRate, traceId, attributes,
  };
}

function readOutcome(reader: BodyReader): Outcome {
  reader.field = 'event_id';
  const eventId = reader.fixed(16);
  reader.field = 'unit_id';
  const unitId = reader.string(LIMITS.unitIdCharsMax);
  reader.field = 'event_ts';
  const eventTs = reader.long() as EpochMs;
  reader.field = 'item_id';
  const itemId = reader.nullableString(LIMITS.unitIdCharsMax);
  reader.field = 'variant_hint';
  const variantHint = reader.strings(LIMITS.attributesMax);
  reader.field = 'measures';
  const measures = reader.doubles(LIMITS.measuresMax);
  reader.field = 'status';
  const status = STATUSES[reader.index(STATUSES.length, 'symbol')] ?? 'ok';
  const {sampleRate, traceId, attributes} = readTail(reader);
  return {
    kind: 'outcome', eventId, unitId, eventTs, itemId, variantHint, measures, status,
    sampleRate, traceId, attributes,
  };
}

/** What slices need of an outcome; the rest is passed over. Of bytes that `readOutcome` took. */
export type OutcomeProjection = Pick<Outcome, 'unitId' | 'eventTs' | 'variantHint' | 'measures' | 'status' | 'attributes'>;

export const PROJECTIONS: Readonly<Record<string, (reader: BodyReader) => OutcomeProjection>> = {
  'outcome.v1': projectOutcome,
};

function projectOutcome(reader: BodyReader): OutcomeProjection {
  reader.skip(16);
  const unitId = reader.string(LIMITS.unitIdCharsMax);
  const eventTs = reader.long() as EpochMs;
  if (reader.index(2, 'branch') === 1) reader.skipBytes();
  const variantHint = reader.strings(LIMITS.attributesMax);
  const measures = reader.doubles(LIMITS.measuresMax);
  const status = STATUSES[reader.index(STATUSES.length, 'symbol')] ?? 'ok';
  reader.skip(8);
  reader.skipBytes();
  const attributes = reader.strings(LIMITS.attributesMax);
  return {unitId, eventTs, variantHint, measures, status, attributes};
}

/** The three fields both kinds end with. */
function readTail(reader: BodyReader): Pick<Exposure, 'sampleRate' | 'traceId' | 'attributes'> {
  reader.field = 'sample_rate';
  const sampleRate = reader.double();
  reader.field = 'trace_id';
  const traceId = reader.string(LIMITS.nameCharsMax);
  reader.field = 'attributes';
  const attributes = reader.strings(LIMITS.attributesMax);
  return {sampleRate, traceId, attributes};
}

function readTick(reader: BodyReader): Tick {
  reader.field = 'sent_ts';
  const sentTs = reader.long() as EpochMs;
  reader.field = 'owner';
  return {kind: 'tick', sentTs, owner: reader.string(LIMITS.nameCharsMax)};
}
