import {lookup} from 'node:dns/promises';
import {isIP} from 'node:net';
import type {Clock} from '../core/clock.ts';
import {messageOf} from '../core/errors.ts';
import {judgeAddress} from './address.ts';
import {NOTIFY_LIMITS} from './limits.ts';

export type ResolvedAddress = {readonly address: string; readonly family: 4 | 6};

/** A name's addresses. Asked once per request; what it says is checked and then connected to. */
export type Resolve = (hostname: string) => Promise<readonly ResolvedAddress[]>;

export const systemResolve: Resolve = async hostname => {
  const found = await lookup(hostname, {all: true, verbatim: true});
  return found.map(({address, family}) => ({address, family: family === 6 ? 6 : 4}));
};

export type UrlPolicy = {
  /** `host` or `host:port` (names, IPv4, `[IPv6]`) that may be plain http, loopback or private. */
  readonly allow: readonly string[];
  readonly resolve: Resolve;
};

/** A URL that may be posted to, with the addresses that were checked. */
export type JudgedUrl =
  | {readonly allowed: true; readonly url: URL; readonly addresses: readonly ResolvedAddress[]; readonly reason: string}
  | {readonly allowed: false; readonly reason: string};

const refused = (reason: string): JudgedUrl => ({allowed: false, reason});

/**
 * Judges a URL: its form first, then every address of its name. Nothing is connected to.
 * A name that does not resolve is refused, since nothing could be delivered to it.
 */
export async function judgeUrl(text: string, {allow, resolve}: UrlPolicy): Promise<JudgedUrl> {
  const url = parseTarget(text);
  if (typeof url === 'string') return refused(url);
  const isListed = allow.some(entry => isAllowed(url, entry));
  if (url.protocol === 'http:' && !isListed) return refused('http is not encrypted; use https, or allow the host');

  let addresses: readonly ResolvedAddress[];
  try {
    addresses = await addressesOf(url, resolve);
  } catch (error) {
    return refused(unresolved(url.hostname, error));
  }
  if (addresses.length === 0) return refused(`${url.hostname} does not resolve`);
  if (addresses.length > NOTIFY_LIMITS.addressesMax) return refused(`${url.hostname} has ${addresses.length} addresses`);
  for (const {address} of addresses) {
    const judged = judgeAddress(address);
    const isFine = judged.class === 'global' || (isListed && judged.class !== 'reserved');
    if (!isFine) return refused(`${address} is ${judged.reason}`);
  }
  return {allowed: true, url, addresses, reason: isListed ? 'allowed by config' : 'https to a global address'};
}

/** A name server that cannot be asked is another matter than a name that does not exist. */
function unresolved(hostname: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!NO_NAME_SERVER.includes(code)) return `${hostname} does not resolve: ${messageOf(error)}`;
  return `${hostname} cannot be resolved: no name server answers (${code}; offline?), so its addresses could not be checked`;
}

const NO_NAME_SERVER: readonly string[] = ['EAI_AGAIN', 'ECONNREFUSED', 'ETIMEOUT', 'ENETUNREACH'];

/** The form of a URL; a string says what is wrong with it. */
function parseTarget(text: string): URL | string {
  if (text.length > NOTIFY_LIMITS.urlCharsMax) return `longer than ${NOTIFY_LIMITS.urlCharsMax} characters`;
  // The parser drops CR, LF and tab silently and trims the rest: refuse instead of repairing.
  if (/[\p{Cc}\p{Cf}\s\\]/u.test(text)) return 'holds a control character, white space or backslash';
  if (!URL.canParse(text)) return 'not a URL';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return `${url.protocol} is not https`;
  if (!/^https?:\/\/[^/]/i.test(text)) return 'write the scheme with two slashes and a host';
  if (url.username !== '' || url.password !== '' || /^https?:\/\/[^/?#]*@/i.test(text)) return 'holds credentials';
  if (url.hostname === '') return 'has no host';
  if (url.port === '0') return 'port 0 cannot be connected to';
  return url;
}

const bareHost = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1');

async function addressesOf(url: URL, resolve: Resolve): Promise<readonly ResolvedAddress[]> {
  const host = bareHost(url);
  const family = isIP(host);
  if (family !== 0) return [{address: host, family: family === 6 ? 6 : 4}];
  const found = await resolve(host);
  return found.filter(({address}, index) => found.findIndex(other => other.address === address) === index);
}

/** Whether an entry of the allow-list names this host, and this port if it names one. */
function isAllowed(url: URL, entry: string): boolean {
  const text = `http://${entry.trim()}/`;
  if (!URL.canParse(text) || /[/?#@\s]/.test(entry.trim())) return false;
  const wanted = new URL(text);
  if (wanted.hostname !== url.hostname) return false;
  const hasPort = /:\d+$/.test(entry.trim());
  return !hasPort || portOf(wanted) === portOf(url);
}

const portOf = (url: URL): string => (url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port);

export type CheckedUrl = {readonly url: string; readonly allowed: boolean; readonly reason: string};

export type CheckOptions = Partial<UrlPolicy> & {
  /** Bounds each look-up; without it a silent name server is waited for. */
  readonly clock?: Clock;
};

/** What `assay notify check` says of each URL, in order, without connecting to any. */
export async function checkUrls(urls: readonly string[], {allow = [], resolve = systemResolve, clock}: CheckOptions = {}): Promise<CheckedUrl[]> {
  const bounded: Resolve = clock === undefined ? resolve : hostname => withinTime(resolve(hostname), clock);
  return Promise.all(
    urls.map(async url => {
      const {allowed, reason} = await judgeUrl(url, {allow, resolve: bounded});
      return {url, allowed, reason};
    }),
  );
}

async function withinTime<Value>(work: Promise<Value>, clock: Clock): Promise<Value> {
  const finished = new AbortController();
  const late = clock.sleep(NOTIFY_LIMITS.connectMs, finished.signal).then(() => {
    throw new Error(`no name server answered within ${NOTIFY_LIMITS.connectMs} ms (offline?)`);
  });
  // The loser of the race is nobody's business.
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    finished.abort();
  }
}
