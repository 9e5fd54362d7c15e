import xxhash from 'xxhash-wasm';
import type {Event} from '../core/events.ts';
import {LIMITS} from '../core/limits.ts';

/** Hashes for the ledger: equal bytes, equal hash; never a proof of identity, facts compare whole ids. */
export type RecordHasher = {
  /** xxh64 of (kind, event_id, unit_id). */
  id(event: Event): bigint;
  /** The same of an event that lies encoded in `bytes`. */
  idAt(place: IdentityPlace): bigint;
  /** xxh64 of a record's bytes. */
  payload(bytes: Uint8Array): bigint;
};

export type IdentityPlace = {
  readonly kind: Event['kind'];
  readonly bytes: Uint8Array;
  /** 16 bytes of event id. */
  readonly idAt: number;
  /** The unit in UTF-8. */
  readonly unitAt: number;
  readonly unitEnd: number;
};

const KIND_BYTE = {exposure: 1, outcome: 2} as const;
const ID_BYTES = 17;
/** ASCII units of up to 512 characters. */
const IDENTITY_BYTES_MAX = ID_BYTES + LIMITS.unitIdCharsMax;
/** UTF-8 takes at most three bytes per UTF-16 code unit. */
const BYTES_PER_CHAR_MAX = 3;

/** Loads the WebAssembly module once per process. */
export async function openRecordHasher(): Promise<RecordHasher> {
  const {h64Raw} = await xxhash();
  const encoder = new TextEncoder();
  let scratch = new Uint8Array(2_048);
  const identity = new Uint8Array(IDENTITY_BYTES_MAX);
  /** Views of its beginnings, by length: making one costs as much as hashing it. */
  const beginnings = Array.from({length: IDENTITY_BYTES_MAX + 1}, (_, length) => identity.subarray(0, length));
  return {
    idAt: ({kind, bytes, idAt, unitAt, unitEnd}) => {
      const length = ID_BYTES + unitEnd - unitAt;
      const beginning = beginnings[length];
      if (beginning === undefined) throw new RangeError(`a unit of ${unitEnd - unitAt} bytes`);
      identity[0] = KIND_BYTE[kind];
      for (let at = 0; at < 16; at++) identity[at + 1] = bytes[idAt + at] as number;
      for (let at = unitAt; at < unitEnd; at++) identity[at - unitAt + ID_BYTES] = bytes[at] as number;
      return h64Raw(beginning);
    },
    payload: bytes => h64Raw(bytes),
    id: event => {
      const bytesMax = ID_BYTES + event.unitId.length * BYTES_PER_CHAR_MAX;
      if (scratch.length < bytesMax) scratch = new Uint8Array(bytesMax);
      scratch[0] = KIND_BYTE[event.kind];
      scratch.set(event.eventId, 1);
      const {written} = encoder.encodeInto(event.unitId, scratch.subarray(ID_BYTES));
      return h64Raw(scratch.subarray(0, ID_BYTES + written));
    },
  };
}
