import {createHmac, timingSafeEqual} from 'node:crypto';
import type {EpochMs} from '../../core/units.ts';
import type {ApiKey} from './api-keys.ts';
import {liveSecrets} from './api-keys.ts';
import type {KeyRing} from './key-file.ts';

/** A browser signs in with a key once and then has a cookie that says nothing of the key. */
export const SESSION_COOKIE = 'assay_session';
export const SESSION_MS = 12 * 3_600_000;

/**
 * `id.expires.mac`. The MAC's key lives in this process and takes in the hash of the key's
 * newest secret, so a restart, a revocation or a rotation ends the session.
 */
export class Sessions {
  readonly #secret: string;
  readonly #keys: KeyRing;

  constructor(keys: KeyRing, random: (bytes: number) => string) {
    this.#keys = keys;
    this.#secret = random(32);
  }

  open(key: ApiKey): string {
    const expires = this.#keys.now() + SESSION_MS;
    return `${key.id}.${expires}.${this.#mac(key, expires)}`;
  }

  /** The key that a cookie stands for; undefined when it is forged, over or revoked. */
  read(cookie: string): ApiKey | undefined {
    const [id = '', expires = '', mac = ''] = cookie.split('.');
    const key = this.#keys.byId(id);
    const now: EpochMs = this.#keys.now();
    if (key === undefined || !/^\d{1,16}$/.test(expires) || now >= Number(expires) || liveSecrets(key, now).length === 0) return undefined;
    const wanted = Buffer.from(this.#mac(key, Number(expires)));
    const given = Buffer.from(mac);
    return given.length === wanted.length && timingSafeEqual(given, wanted) ? key : undefined;
  }

  #mac(key: ApiKey, expires: number): string {
    return createHmac('sha256', this.#secret).update(`${key.id}.${expires}.${key.secrets.at(-1)?.hash ?? ''}`).digest('base64url');
  }
}

export const sessionCookie = (value: string, {isSecure}: {readonly isSecure: boolean}): string =>
  `${SESSION_COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${value === '' ? 0 : SESSION_MS / 1000}${isSecure ? '; Secure' : ''}`;

/** The value of a cookie in a `Cookie` header. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}
