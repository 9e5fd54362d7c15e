import {createHash, timingSafeEqual} from 'node:crypto';
import type {EpochMs} from '../../core/units.ts';
import type {Role} from './roles.ts';

/**
 * An API key is `assay_<id>_<secret>`: the id finds the entry, the secret (256 random
 * bits) proves it. Only SHA-256 of the secret is kept; with that many random bits a
 * slow hash would protect nothing more.
 */
export type ApiKey = {
  readonly id: string;
  /** Who or what uses it; shown as the author of changes. */
  readonly name: string;
  readonly role: Role;
  /** Requests per second; null for the server's default. */
  readonly requestsPerSecond: number | null;
  readonly createdAt: string;
  /** ISO 8601; null for never. */
  readonly revokedAt: string | null;
  /** Newest last. More than one only while a rotation overlaps. */
  readonly secrets: readonly KeySecret[];
};

export type KeySecret = {
  /** Hex SHA-256. */
  readonly hash: string;
  readonly createdAt: string;
  readonly expiresAt: string | null;
};

/** Random bytes, as text that may stand in a header. */
export type Randomness = (bytes: number) => string;

const KEY = /^assay_([a-z0-9]{8})_([A-Za-z0-9_-]{43})$/;

export function makeKey(random: Randomness): {readonly id: string; readonly secret: string} {
  const id = createHash('sha256').update(random(16)).digest('hex').slice(0, 8);
  return {id, secret: random(32)};
}

export const keyText = (id: string, secret: string): string => `assay_${id}_${secret}`;

export const hashSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** The entry that a key's text opens now; undefined when there is none. */
export function findKey(text: string, keys: ReadonlyMap<string, ApiKey>, now: EpochMs): ApiKey | undefined {
  const [, id = '', secret = ''] = KEY.exec(text) ?? [];
  const key = keys.get(id);
  const given = Buffer.from(hashSecret(secret), 'hex');
  const live = key === undefined ? [] : liveSecrets(key, now);
  const fits = live.some(({hash}) => timingSafeEqual(given, Buffer.from(hash, 'hex')));
  return fits ? key : undefined;
}

/** The secrets that open a key now; none once it is revoked. */
export function liveSecrets(key: ApiKey, now: EpochMs): readonly KeySecret[] {
  if (key.revokedAt !== null) return [];
  return key.secrets.filter(({expiresAt}) => expiresAt === null || now < Date.parse(expiresAt));
}
