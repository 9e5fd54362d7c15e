import xxhash from 'xxhash-wasm';
import type {Event} from '../core/events.ts';

/** Hashes for the ledger: equal bytes, equal hash; never a proof of identity, facts compare whole ids. */
export type RecordHasher = {
  /** xxh64 of (kind, event_id, unit_id). */
  id(event: Event): bigint;
  /** xxh64 of a record's bytes. */
  payload(bytes: Uint8Array): bigint;
};

const KIND_BYTE = {exposure: 1, outcome: 2} as const;
const ID_BYTES = 17;
/** UTF-8 takes at most three bytes per UTF-16 code unit. */
const BYTES_PER_CHAR_MAX = 3;

/** Loads the WebAssembly module once per process. */
export async function openRecordHasher(): Promise<RecordHasher> {
  const {h64Raw} = await xxhash();
  const encoder = new TextEncoder();
  let scratch = new Uint8Array(2_048);
  return {
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
