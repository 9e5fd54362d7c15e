import {createHmac} from 'node:crypto';
import type {Config} from '../config/load.ts';
import {AssayError} from '../core/errors.ts';
import type {Event} from '../core/events.ts';
import {LIMITS} from '../core/limits.ts';
import type {DecodeResult} from '../worker/event-codec.ts';

const HASH_CHARS = 32;

/**
 * What is stored in place of a unit id: itself, or with `privacy.hash_unit_ids` a keyed
 * hash of it (the first 128 bits of HMAC-SHA-256). Equal ids have equal hashes, so
 * attribution is the same; without the key nobody can try ids out.
 * @throws AssayError ASSAY_CONFIG_INVALID when hashing is on without a key
 */
export function unitIdHasher(config: Pick<Config, 'text' | 'isOn'>): (unitId: string) => string {
  if (!config.isOn('privacy.hash_unit_ids')) return unitId => unitId;
  const key = config.text('privacy.hash_key');
  if (key === '') {
    throw new AssayError('ASSAY_CONFIG_INVALID', 'privacy.hash_unit_ids is on and privacy.hash_key is empty; give a secret, the same for every worker and for ever');
  }
  return unitId => createHmac('sha256', key).update(unitId).digest('hex').slice(0, HASH_CHARS);
}

/** A decoded event with its unit's id as it is stored. An id that is to be refused stays what it is. */
export function withUnitId(result: DecodeResult, toStored: (unitId: string) => string): DecodeResult {
  if (!result.ok || result.event.kind === 'tick') return result;
  const {length} = result.event.unitId;
  if (length === 0 || length > LIMITS.unitIdCharsMax) return result;
  const event: Event = {...result.event, unitId: toStored(result.event.unitId)};
  return {ok: true, event};
}
