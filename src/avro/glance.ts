import {OUTCOME_STATUSES, type OutcomeStatus} from '../core/events.ts';
import {MEASURE_ABS_MAX} from '../core/exact.ts';
import {LIMITS} from '../core/limits.ts';
import type {BodyReader} from './body-reader.ts';
import {ByteCache, NOWHERE} from './byte-cache.ts';
import {type EventArrival, EVENT_TS_MAX} from './check-event.ts';
import {type MeasureNames, NamePath} from './name-path.ts';

/**
 * What a worker asks of a record before it is flushed, and where its identity lies
 * in the bytes. One is filled again for each record: read it before the next glance.
 */
export type Glance = {
  readonly kind: 'exposure' | 'outcome';
  readonly eventTs: number;
  readonly bytes: Uint8Array;
  /** 16 bytes of event id. */
  readonly idAt: number;
  /** The unit's name in ASCII. */
  readonly unitAt: number;
  readonly unitEnd: number;
  /** The rest is what slices need of an outcome. Equal hints that come often are one object, equal lists of names always. */
  readonly variantHint: Readonly<Record<string, string>>;
  /** The same for the same hint, mostly; below 0 without. */
  readonly hintPlace: number;
  readonly measureNames: MeasureNames;
  /** One for each name; what lies behind them is old. */
  readonly measureValues: Float64Array;
  readonly status: OutcomeStatus;
  readonly sampleRate: number;
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

const REASONS = 3;
/** Ten thousand experiments with some variants each. */
const HINTS = 65_536;
/** Entries are told apart pairwise. */
const ENTRIES_MAX = 12;

const GLANCE = {
  kind: 'outcome' as Glance['kind'],
  eventTs: 0,
  bytes: new Uint8Array(0) as Uint8Array,
  idAt: 0,
  unitAt: 0,
  unitEnd: 0,
  variantHint: {} as Glance['variantHint'],
  hintPlace: NOWHERE,
  measureNames: [] as MeasureNames,
  measureValues: new Float64Array(ENTRIES_MAX),
  status: 'ok' as OutcomeStatus,
  sampleRate: 1,
};

function glanceAtOutcome(reader: BodyReader, arrival: EventArrival): Glance | null {
  const idAt = reader.position;
  reader.skip(16);
  const unit = reader.skipAscii(1, LIMITS.unitIdCharsMax);
  const unitEnd = reader.position;
  const eventTs = reader.long();
  const isOrdinary =
    unit &&
    skipNullable(reader) &&
    takeHint(reader) &&
    takeMeasures(reader) &&
    takeStatus(reader.long()) &&
    skipTail(reader) &&
    isTimely(reader, {idAt, eventTs, arrival});
  if (!isOrdinary) return null;
  return filled(reader, {kind: 'outcome', eventTs, idAt, unitAt: reader.textStart(idAt + 16), unitEnd});
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
  return filled(reader, {kind: 'exposure', eventTs, idAt, unitAt: reader.textStart(unitFrom), unitEnd});
}

function filled(reader: BodyReader, place: Pick<Glance, 'kind' | 'eventTs' | 'idAt' | 'unitAt' | 'unitEnd'>): Glance {
  GLANCE.kind = place.kind;
  GLANCE.eventTs = place.eventTs;
  GLANCE.bytes = reader.bytes;
  GLANCE.idAt = place.idAt;
  GLANCE.unitAt = place.unitAt;
  GLANCE.unitEnd = place.unitEnd;
  return GLANCE;
}

/** sample_rate, trace_id and attributes, and then nothing more. */
function skipTail(reader: BodyReader): boolean {
  const rate = reader.double();
  GLANCE.sampleRate = rate;
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

function takeStatus(index: number): boolean {
  const status = OUTCOME_STATUSES[index];
  if (status === undefined) return false;
  GLANCE.status = status;
  return true;
}

/** Hints by the bytes of the whole map: one that was judged before is neither judged nor made again. */
const hints = new ByteCache<Glance['variantHint']>(HINTS);

function takeHint(reader: BodyReader): boolean {
  const start = reader.position;
  const count = reader.long();
  if (count < 0 || count > ENTRIES_MAX) return false;
  for (let text = 0; text < count * 2; text++) reader.skipBytes();
  if (count > 0 && reader.long() !== 0) return false;
  const end = reader.position;
  const place = hints.find(reader.bytes, start, end);
  const known = hints.meaningAt(place);
  if (known !== undefined) {
    GLANCE.variantHint = known;
    GLANCE.hintPlace = place;
    return true;
  }
  reader.goBack(start);
  if (!skipStrings(reader)) return false;
  reader.goBack(start);
  GLANCE.variantHint = reader.strings(ENTRIES_MAX);
  GLANCE.hintPlace = hints.set(reader.bytes.subarray(start, end), GLANCE.variantHint);
  return true;
}

const root = NamePath.root();

/** A map of one block, or none, whose names all differ. */
function takeMeasures(reader: BodyReader): boolean {
  const count = reader.long();
  if (count < 0 || count > ENTRIES_MAX) return false;
  let path: NamePath | undefined = root;
  for (let index = 0; index < count; index++) {
    path = path.next(reader);
    if (path === undefined) return false;
    const value = reader.double();
    if (!(Math.abs(value) < MEASURE_ABS_MAX)) return false;
    GLANCE.measureValues[index] = value;
  }
  GLANCE.measureNames = path.names;
  return count === 0 || reader.long() === 0;
}

/** A map of one block, or none, whose names all differ. */
function skipStrings(reader: BodyReader): boolean {
  const count = reader.long();
  if (count === 0) return true;
  if (count < 0 || count > ENTRIES_MAX) return false;
  for (let index = 0; index < count; index++) {
    const key = reader.key();
    for (let before = 0; before < index; before++) if (keys[before] === key) return false;
    keys[index] = key;
    if (!reader.skipAscii(0, LIMITS.unitIdCharsMax)) return false;
  }
  return reader.long() === 0;
}
