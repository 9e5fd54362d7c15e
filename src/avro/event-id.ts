import {createHash} from 'node:crypto';
import type {EventId} from '../core/events.ts';
import type {EpochMs} from '../core/units.ts';

/** Bytes after the 48-bit time: 74 of their 80 bits are kept, 6 say version and variant. */
export const EVENT_ID_TAIL_BYTES = 10;

/**
 * A UUIDv7 (RFC 9562): 48 bits of milliseconds, version 7, variant 10, the rest from `tail`.
 * @throws RangeError when `ms` is negative or beyond 48 bits, or `tail` is shorter than 10 bytes.
 */
export function makeEventId(ms: EpochMs, tail: Uint8Array): EventId {
  if (!Number.isSafeInteger(ms) || ms < 0 || ms >= 2 ** 48) {
    throw new RangeError(`an event id holds 48 bits of milliseconds since 1970, got ${ms}`);
  }
  if (tail.length < EVENT_ID_TAIL_BYTES) throw new RangeError(`an event id needs 10 bytes after its time, got ${tail.length}`);
  const id = new Uint8Array(16);
  const high = Math.floor(ms / 2 ** 32);
  id[0] = high >>> 8;
  id[1] = high;
  id[2] = ms / 2 ** 24;
  id[3] = ms / 2 ** 16;
  id[4] = ms / 2 ** 8;
  id[5] = ms;
  id.set(tail.subarray(0, EVENT_ID_TAIL_BYTES), 6);
  id[6] = 0x70 | ((id[6] ?? 0) & 0x0f);
  id[8] = 0x80 | ((id[8] ?? 0) & 0x3f);
  return id;
}

/**
 * An id that is a function of its parts, so that importing a file twice counts
 * once. Parts are joined with their lengths: ('ab','c') and ('a','bc') differ.
 */
export function hashedEventId(ms: EpochMs, parts: readonly string[]): EventId {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`);
  return makeEventId(ms, hash.digest());
}

/** Milliseconds since 1970 in the first 48 bits. Meaningless unless the id is a UUIDv7. */
export function eventIdTime(id: EventId): EpochMs {
  return (((id[0] ?? 0) * 256 + (id[1] ?? 0)) * 2 ** 32 +
    (id[2] ?? 0) * 2 ** 24 + ((id[3] ?? 0) << 16) + ((id[4] ?? 0) << 8) + (id[5] ?? 0)) as EpochMs;
}

export const isUuidV7 = (id: EventId): boolean =>
  id.length === 16 && (id[6] ?? 0) >>> 4 === 7 && (id[8] ?? 0) >>> 6 === 2;

/** 32 lower-case hex digits. */
export const eventIdToHex = (id: EventId): string => Buffer.from(id.buffer, id.byteOffset, id.length).toString('hex');

/** The canonical 8-4-4-4-12 form. */
export function eventIdToText(id: EventId): string {
  const hex = eventIdToHex(id);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Reads 32 hex digits or the canonical form, in either case; undefined for anything else. */
export function parseEventId(text: string): EventId | undefined {
  if (!/^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i.test(text)) return undefined;
  return Uint8Array.from(Buffer.from(text.replaceAll('-', ''), 'hex'));
}
