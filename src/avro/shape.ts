import type {DeadLetterCode, Event} from '../core/events.ts';
import {LIMITS} from '../core/limits.ts';

/** Why an event cannot be a fact. `message` names the field, what is wrong with it and how to mend it. */
export type EventProblem = {readonly code: DeadLetterCode; readonly message: string};

/**
 * The bounds of an event's strings and maps, which decoding enforces too. Call it
 * before encoding, so that nobody publishes what a worker must refuse.
 */
export function checkShape(event: Event): EventProblem | null {
  const tooLong =
    text('unit_id', event.unitId, LIMITS.unitIdCharsMax) ??
    text('item_id', event.itemId, LIMITS.unitIdCharsMax) ??
    text('trace_id', event.traceId, LIMITS.nameCharsMax) ??
    entries('attributes', event.attributes, LIMITS.attributesMax);
  if (tooLong !== null) return tooLong;
  if (event.eventId.length !== 16) return invalid(`event_id: ${event.eventId.length} bytes, it must have 16`);
  if (event.kind === 'exposure') {
    return (
      text('experiment', event.experiment, LIMITS.nameCharsMax) ??
      text('variant', event.variant, LIMITS.nameCharsMax) ??
      text('session_id', event.sessionId, LIMITS.unitIdCharsMax)
    );
  }
  return (
    entries('measures', event.measures, LIMITS.measuresMax) ?? entries('variant_hint', event.variantHint, LIMITS.attributesMax)
  );
}

export const invalid = (message: string): EventProblem => ({code: 'schema_invalid', message});

function text(field: string, value: string | null, charsMax: number): EventProblem | null {
  if (value === null || value.length <= charsMax) return null;
  return invalid(`${field}: ${value.length} characters, the limit is ${charsMax}; shorten or hash it`);
}

function entries(field: string, map: Readonly<Record<string, string | number>>, entriesMax: number): EventProblem | null {
  const keys = Object.keys(map);
  if (keys.length > entriesMax) return invalid(`${field}: ${keys.length} entries, the limit is ${entriesMax}; drop some`);
  for (const key of keys) {
    if (key === '') return invalid(`${field}: an entry has an empty name; give it one`);
    if (key === '__proto__') return invalid(`${field}: the name __proto__ is not allowed; rename it`);
    const problem = text(`${field}: the name of an entry`, key, LIMITS.nameCharsMax);
    if (problem !== null) return problem;
    const value = map[key];
    if (typeof value !== 'string') continue;
    const long = text(`${field}[${JSON.stringify(key)}]`, value, LIMITS.unitIdCharsMax);
    if (long !== null) return long;
  }
  return null;
}
