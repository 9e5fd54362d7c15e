import type {Exposure, Outcome, Tick} from '../core/events.ts';
import type {Stream} from '../core/streams.ts';
import type {EventArrival} from './check-event.ts';
import {type DecodedConfig, type DecodedRecord, RecordCodec} from './codec.ts';
import type {OutcomeProjection} from './decode-event.ts';
import type {Glance} from './glance.ts';
import type {ExperimentRecord} from './records.ts';
import {type RecordSchema, readSchemas, SCHEMAS_DIRECTORY} from './schema-files.ts';

/** Every schema ever released, as it lies in `schemas/`. */
export const RELEASED_SCHEMAS: readonly RecordSchema[] = readSchemas(SCHEMAS_DIRECTORY);

/** The codec of a process without a schema registry. */
const codec = new RecordCodec(RELEASED_SCHEMAS);

export const encodeExposure = (exposure: Exposure): Uint8Array => codec.encode(exposure);
export const encodeOutcome = (outcome: Outcome): Uint8Array => codec.encode(outcome);
export const encodeTick = (tick: Tick): Uint8Array => codec.encode(tick);
export const encodeExperiment = (record: ExperimentRecord): Uint8Array => codec.encode(record);
export const encodeStream = (stream: Stream): Uint8Array => codec.encode({kind: 'stream', stream});

/** Decodes a record of an events topic. Never throws, whatever the bytes. */
export const decodeRecord = (bytes: Uint8Array): DecodedRecord => codec.decode(bytes);

/** Accepts an ordinary event without decoding it; null when decoding and checking have to judge. */
export const glanceAt = (bytes: Uint8Array, arrival: EventArrival): Glance | null => codec.glance(bytes, arrival);

/** What slices need of a record that was decoded as an outcome. */
export const projectOutcome = (bytes: Uint8Array): OutcomeProjection => codec.project(bytes);

/** Decodes a record of the experiments topic. Never throws, whatever the bytes. */
export const decodeConfig = (bytes: Uint8Array): DecodedConfig => codec.decodeConfig(bytes);
