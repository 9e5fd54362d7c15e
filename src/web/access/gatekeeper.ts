import type {FastifyRequest} from 'fastify';
import {LRUCache} from 'lru-cache';
import type {Clock} from '../../core/clock.ts';
import {ProblemError} from '../problem.ts';
import type {Caller} from '../route.ts';
import type {ApiKey} from './api-keys.ts';
import type {KeyRing} from './key-file.ts';
import {mayDo, type Permission, rolesFor} from './roles.ts';
import {cookieOf, SESSION_COOKIE, type Sessions} from './session.ts';
import {TokenBucket} from './token-bucket.ts';

export type GatekeeperOptions = {
  readonly keys: KeyRing;
  readonly sessions: Sessions;
  readonly clock: Clock;
  /** Pages elsewhere that may call: `https://app.example.com`. */
  readonly corsOrigins: readonly string[];
  /** For keys that have no limit of their own. */
  readonly requestsPerSecond: number;
  /** Whether the server listens beyond this machine: then keys are needed, whatever happens to their file. */
  readonly isExposed: boolean;
};

/** Wrong keys of one address: this many at once, then one a second. */
const FAILURES_PER_SECOND = 1;
const FAILURE_BURST = 20;
const ADDRESSES_MAX = 10_000;
export const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;
const LOCAL: Caller = {name: 'local', role: 'admin', keyId: null};
const NOBODY: Caller = {name: '', role: 'ingest', keyId: null};
const SAFE: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

type Presented = {readonly text: string; readonly isCookie: boolean} | null;

/** Decides, before a body is read, who calls and whether he may. */
export class Gatekeeper {
  readonly #options: GatekeeperOptions;
  readonly #buckets = new LRUCache<string, {readonly perSecond: number; readonly bucket: TokenBucket}>({max: ADDRESSES_MAX});
  readonly #failures = new LRUCache<string, TokenBucket>({max: ADDRESSES_MAX});

  constructor(options: GatekeeperOptions) {
    this.#options = options;
  }

  /** @throws ProblemError 401, 403 or 429 */
  admit(request: FastifyRequest, permission: Permission): Caller {
    const isOpen = !this.#options.isExposed && !this.#options.keys.isLocked;
    if (isOpen) this.#requireLocal(request);
    const presented = presentedKey(request);
    if (isOpen || permission === 'public' || presented?.isCookie === true) this.#requireSameSite(request);
    if (isOpen) return this.#limited(LOCAL, null);
    if (permission === 'public') return NOBODY;
    const key = this.#keyOf(presented, request.ip);
    const caller = {name: key.name, role: key.role, keyId: key.id};
    this.#limited(caller, key.requestsPerSecond);
    if (mayDo(key.role, permission)) return caller;
    throw new ProblemError({status: 403, title: 'Not allowed', detail: `the key ${key.name} has the role ${key.role}; this needs ${rolesFor(permission).join(' or ')}`});
  }

  /** The key behind a request, for signing in. @throws ProblemError 401 */
  keyFor(text: string, address: string): ApiKey {
    return this.#keyOf({text, isCookie: false}, address);
  }

  /** A page that was rebound to this address by DNS names another host. */
  #requireLocal(request: FastifyRequest): void {
    const host = request.headers.host ?? '';
    if (LOOPBACK_HOST.test(host)) return;
    throw new ProblemError({status: 403, title: 'Not allowed', detail: 'without API keys only requests to localhost or 127.0.0.1 are answered; make a key with `assay keys add`'});
  }

  /** A browser sends cookies, and reaches loopback, on behalf of any page: changes must come from our own. */
  #requireSameSite(request: FastifyRequest): void {
    if (SAFE.includes(request.method)) return;
    const {origin, host} = request.headers;
    const site = request.headers['sec-fetch-site'];
    const isOwn = origin === undefined ? site === undefined || site === 'same-origin' || site === 'none' : hostOf(origin) === host;
    if (isOwn || (origin !== undefined && this.#options.corsOrigins.includes(origin))) return;
    throw new ProblemError({status: 403, title: 'Not allowed', detail: `pages of ${origin ?? 'another site'} may not send here; name them in server.cors_origins`});
  }

  #keyOf(presented: Presented, address: string): ApiKey {
    const failures = this.#failures.get(address);
    const now = this.#options.clock.now();
    const key = presented === null ? undefined : presented.isCookie ? this.#options.sessions.read(presented.text) : this.#options.keys.find(presented.text);
    if (key !== undefined) return key;
    // Only guesses count: a browser that has not signed in yet asks without.
    if (presented !== null && !presented.isCookie) {
      const bucket = failures ?? new TokenBucket(FAILURES_PER_SECOND, now, FAILURE_BURST);
      this.#failures.set(address, bucket);
      const wait = bucket.take(now);
      if (wait > 0) throw new ProblemError({status: 429, title: 'Too many wrong keys', detail: `wait ${wait} s`, retryAfterSeconds: wait});
    }
    const why = presented === null ? 'send an API key as `Authorization: Bearer KEY`' : 'the key is wrong, revoked or expired';
    throw new ProblemError({status: 401, title: 'A key is needed', detail: `${why}; keys are made with \`assay keys add\``});
  }

  #limited(caller: Caller, own: number | null): Caller {
    const perSecond = own ?? this.#options.requestsPerSecond;
    const id = caller.keyId ?? '';
    const now = this.#options.clock.now();
    const known = this.#buckets.get(id);
    const entry = known?.perSecond === perSecond ? known : {perSecond, bucket: new TokenBucket(perSecond, now)};
    if (entry !== known) this.#buckets.set(id, entry);
    const wait = entry.bucket.take(now);
    if (wait === 0) return caller;
    throw new ProblemError({status: 429, title: 'Too many requests', detail: `${caller.name} may make ${perSecond} requests a second; wait ${wait} s`, retryAfterSeconds: wait});
  }
}

/** `Authorization: Bearer KEY`, Basic with the key as password, `X-API-Key`, `?key=` for beacons (events alone), or the cookie. */
function presentedKey(request: FastifyRequest): Presented {
  const {authorization, cookie} = request.headers;
  const [, scheme = '', value = ''] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization ?? '') ?? [];
  if (scheme.toLowerCase() === 'bearer') return {text: value, isCookie: false};
  if (scheme !== '') return {text: Buffer.from(value, 'base64').toString('utf8').split(':').slice(1).join(':'), isCookie: false};
  if (authorization !== undefined) return {text: '', isCookie: false};
  const header = request.headers['x-api-key'];
  if (typeof header === 'string') return {text: header, isCookie: false};
  const {key} = request.query as {key?: unknown};
  if (typeof key === 'string' && request.method === 'POST' && request.url.startsWith('/v1/events?')) return {text: key, isCookie: false};
  const session = cookieOf(cookie, SESSION_COOKIE);
  return session === undefined || session === '' ? null : {text: session, isCookie: true};
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}
