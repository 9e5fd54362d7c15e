import type {EventCells} from '../core/event-cells.ts';
import type {Exposure, Outcome, Tick} from '../core/events.ts';
import type {Stream} from '../core/streams.ts';
import type {EventArrival} from './check-event.ts';
import {type DecodedConfig, type DecodedRecord, RecordCodec, type ValuePlace} from './codec.ts';
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
export const glanceAt = (place: ValuePlace, arrival: EventArrival): Glance | null => codec.glance(place, arrival);

/** What slices need of a record that was decoded as an outcome. */
export const projectOutcome = (bytes: Uint8Array): OutcomeProjection => codec.project(bytes);

/** Fills in where the cells of a record lie that was decoded as an event; false when it has to be decoded. */
export const locateCells = (bytes: Uint8Array, cells: EventCells): boolean => codec.locate(bytes, cells);

/** Decodes a record of the experiments topic. Never throws, whatever the bytes. */
export const decodeConfig = (bytes: Uint8Array): DecodedConfig => codec.decodeConfig(bytes);
