import {assert} from '../../core/assert.ts';

/** ISO 8601 ↔ milliseconds. Our own rows only: an unreadable time is a defect. */
export function msOfIso(text: string): number {
  const ms = Date.parse(text);
  assert(Number.isSafeInteger(ms), `${text} is an ISO 8601 time`);
  return ms;
}

export const isoOfMs = (ms: string | number): string => new Date(Number(ms)).toISOString();

export const isoOfMsOrNull = (ms: string | number | null): string | null => (ms === null ? null : isoOfMs(ms));
