import type {Event, Exposure} from '../core/events.ts';
import {MEASURE_ABS_MAX} from '../core/exact.ts';
import {LIMITS} from '../core/limits.ts';
import type {EpochMs} from '../core/units.ts';
import {eventIdTime, isUuidV7} from './event-id.ts';
import {type EventProblem, invalid} from './shape.ts';

/** When the log took the event; `maxAgeMs` null means that age is not checked (imports). */
export type EventArrival = {readonly appendTs: EpochMs; readonly arrivalTs: EpochMs; readonly maxAgeMs: number | null};

/** The last millisecond that ClickHouse's DateTime64(3) can hold: 2299-12-31T23:59:59.999Z. */
export const EVENT_TS_MAX = 10_413_791_999_999;

/**
 * Whether a decoded event can be a fact (DESIGN C3, C7, §3): null, or the first
 * reason why not. A function of the record and its arrival alone, so that every
 * replay refuses the same ones.
 */
export function checkEvent(event: Event, arrival: EventArrival): EventProblem | null {
  if (event.unitId === '') return invalid('unit_id: is empty; name the unit that was randomised');
  if (!(event.sampleRate > 0 && event.sampleRate <= 1)) {
    return invalid(`sample_rate: ${event.sampleRate} is not in (0, 1]; send 1 when nothing is sampled`);
  }
  const problem = event.kind === 'exposure' ? checkExposure(event) : checkMeasures(event.measures);
  return problem ?? checkTime(event, arrival);
}

function checkExposure(event: Exposure): EventProblem | null {
  if (event.experiment === '') return invalid('experiment: is empty; name the experiment');
  if (event.variant === '') return invalid('variant: is empty; name the variant that was shown');
  if (event.phase < 1) return invalid(`phase: ${event.phase} is below 1; copy it from the assignment`);
  if (event.configVersion < 0) return invalid(`config_version: ${event.configVersion} is negative; copy it from the assignment`);
  return null;
}

function checkMeasures(measures: Readonly<Record<string, number>>): EventProblem | null {
  for (const name in measures) {
    const value = measures[name] ?? Number.NaN;
    if (Math.abs(value) < MEASURE_ABS_MAX) continue;
    const fix = Number.isFinite(value) ? 'send it in a larger unit' : 'leave the measure out when there is no number';
    const message = `measures[${JSON.stringify(name)}]: ${value} is not a finite number below 1e15 in size; ${fix}`;
    return {code: 'measure_out_of_range', message};
  }
  return null;
}

function checkTime(event: Event, {appendTs, arrivalTs, maxAgeMs}: EventArrival): EventProblem | null {
  const {eventTs, eventId} = event;
  if (eventTs < 0 || eventTs > EVENT_TS_MAX) {
    return invalid(`event_ts: ${eventTs} is outside 1970…2299; send whole milliseconds since 1970 UTC`);
  }
  const idTs = eventIdTime(eventId);
  if (Math.abs(idTs - eventTs) > LIMITS.idTimeSkewMsMax) {
    const cause = isUuidV7(eventId) ? `says ${instant(idTs)}` : 'is no UUIDv7';
    const message = `event_id: ${cause}, but event_ts is ${instant(eventTs)}; make the id from event_ts (at most 24 h apart)`;
    return {code: 'id_time_mismatch', message};
  }
  if (eventTs > arrivalTs + LIMITS.futureMsMax) {
    const ahead = Math.round((eventTs - arrivalTs) / 1000);
    const message = `event_ts: ${instant(eventTs)} is ${ahead} s after its arrival; set the sender's clock, or send milliseconds`;
    return {code: 'from_future', message};
  }
  if (maxAgeMs !== null && appendTs - eventTs > maxAgeMs) {
    const message = `event_ts: ${instant(eventTs)} is more than ${maxAgeMs / 3_600_000} h before its append; import old data as a stream of its own`;
    return {code: 'too_old', message};
  }
  return null;
}

/** ISO text, or the number itself where there is no such date. */
function instant(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
