import {MEASURE_ABS_MAX} from '../core/exact.ts';
import {LIMITS} from '../core/limits.ts';
import type {BodyReader} from './body-reader.ts';
import {type EventArrival, EVENT_TS_MAX} from './check-event.ts';

/** What a worker asks of a record before it is flushed, and where its identity lies in the bytes. */
export type Glance = {
  readonly kind: 'exposure' | 'outcome';
  readonly eventTs: number;
  readonly bytes: Uint8Array;
  /** 16 bytes of event id. */
  readonly idAt: number;
  /** The unit's name in UTF-8. */
  readonly unitAt: number;
  readonly unitEnd: number;
};

/**
 * Accepts the ordinary record in one pass that makes no strings and no objects.
 * Whatever is out of the ordinary (a letter beyond ASCII, many entries, a map in
 * several blocks, anything wrong) is not judged here: null sends it to `decode`
 * and `checkEvent`, which alone say what is refused and why. So this may be too
 * strict, never too lax; a property test compares the two on damaged records.
 */
export const GLANCES: Readonly<Record<string, (reader: BodyReader, arrival: EventArrival) => Glance | null>> = {
  'exposure.v1': glanceAtExposure,
  'outcome.v1': glanceAtOutcome,
};

const STATUSES = 4;
const REASONS = 3;
/** Entries are told apart pairwise. */
const ENTRIES_MAX = 12;

function glanceAtOutcome(reader: BodyReader, arrival: EventArrival): Glance | null {
  const idAt = reader.position;
  reader.skip(16);
  const unit = reader.skipAscii(1, LIMITS.unitIdCharsMax);
  const unitEnd = reader.position;
  const eventTs = reader.long();
  const isOrdinary =
    unit &&
    skipNullable(reader) &&
    skipStrings(reader) &&
    skipMeasures(reader) &&
    isBelow(reader.long(), STATUSES) &&
    skipTail(reader) &&
    isTimely(reader, {idAt, eventTs, arrival});
  if (!isOrdinary) return null;
  return {kind: 'outcome', eventTs, bytes: reader.bytes, idAt, unitAt: reader.textStart(idAt + 16), unitEnd};
}

function glanceAtExposure(reader: BodyReader, arrival: EventArrival): Glance | null {
  const idAt = reader.position;
  reader.skip(16);
  if (!reader.skipAscii(1, LIMITS.nameCharsMax) || !reader.skipAscii(1, LIMITS.nameCharsMax)) return null;
  if (reader.int() < 1) return null;
  const unitFrom = reader.position;
  const unit = reader.skipAscii(1, LIMITS.unitIdCharsMax);
  const unitEnd = reader.position;
  const eventTs = reader.long();
  const isOrdinary =
    unit &&
    reader.int() >= 0 &&
    isBelow(reader.long(), REASONS) &&
    skipNullable(reader) &&
    skipNullable(reader) &&
    skipTail(reader) &&
    isTimely(reader, {idAt, eventTs, arrival});
  if (!isOrdinary) return null;
  return {kind: 'exposure', eventTs, bytes: reader.bytes, idAt, unitAt: reader.textStart(unitFrom), unitEnd};
}

/** sample_rate, trace_id and attributes, and then nothing more. */
function skipTail(reader: BodyReader): boolean {
  const rate = reader.double();
  return rate > 0 && rate <= 1 && reader.skipAscii(0, LIMITS.nameCharsMax) && skipStrings(reader) && reader.isAtEnd();
}

/** As `checkEvent` judges. */
function isTimely(
  reader: BodyReader,
  {idAt, eventTs, arrival}: {readonly idAt: number; readonly eventTs: number; readonly arrival: EventArrival},
): boolean {
  const {appendTs, arrivalTs, maxAgeMs} = arrival;
  return (
    eventTs >= 0 &&
    eventTs <= EVENT_TS_MAX &&
    Math.abs(reader.uint48At(idAt) - eventTs) <= LIMITS.idTimeSkewMsMax &&
    eventTs <= arrivalTs + LIMITS.futureMsMax &&
    (maxAgeMs === null || appendTs - eventTs <= maxAgeMs)
  );
}

function skipNullable(reader: BodyReader): boolean {
  const branch = reader.long();
  return branch === 0 || (branch === 1 && reader.skipAscii(0, LIMITS.unitIdCharsMax));
}

const isBelow = (index: number, count: number): boolean => index >= 0 && index < count;

const keys: string[] = [];

/** A map of one block, or none, whose names all differ. */
function skipEntries(reader: BodyReader, skipValue: (reader: BodyReader) => boolean): boolean {
  const count = reader.long();
  if (count === 0) return true;
  if (count < 0 || count > ENTRIES_MAX) return false;
  for (let index = 0; index < count; index++) {
    const key = reader.key();
    for (let before = 0; before < index; before++) if (keys[before] === key) return false;
    keys[index] = key;
    if (!skipValue(reader)) return false;
  }
  return reader.long() === 0;
}

const skipText = (reader: BodyReader): boolean => reader.skipAscii(0, LIMITS.unitIdCharsMax);
const skipNumber = (reader: BodyReader): boolean => Math.abs(reader.double()) < MEASURE_ABS_MAX;
const skipStrings = (reader: BodyReader): boolean => skipEntries(reader, skipText);
const skipMeasures = (reader: BodyReader): boolean => skipEntries(reader, skipNumber);
