import {type ClientRequest, type IncomingMessage, request as httpRequest, type RequestOptions} from 'node:http';
import {request as httpsRequest} from 'node:https';
import type {LookupFunction} from 'node:net';
import type {Clock} from '../core/clock.ts';
import {AssayError, messageOf} from '../core/errors.ts';
import {type JudgedUrl, judgeUrl, type ResolvedAddress, type UrlPolicy} from './check-url.ts';
import {NOTIFY_LIMITS} from './limits.ts';

export type FetchLimits = {readonly connectMs: number; readonly totalMs: number; readonly responseBytesMax: number};

export type SafeFetchOptions = UrlPolicy & {
  readonly clock: Clock;
  /** Shorter ones for tests. */
  readonly limits?: FetchLimits;
};

export type PostRequest = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export type PostAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** At most `responseBytesMax` bytes. */
  readonly body: string;
  /** The rest was not read: too long, too slow or cut off. The status stands all the same. */
  readonly isTruncated: boolean;
};

/**
 * One POST that cannot be turned against us: https only (unless the host is allowed),
 * the name is looked up once, every address is checked, the connection goes to a checked
 * address and no other, no redirect is followed, no proxy and no pooled connection is
 * used, and time and bytes are bounded.
 *
 * @throws AssayError `ASSAY_ADDRESS_REFUSED` before anything is connected,
 *   `ASSAY_DELIVERY_FAILED` when no status came.
 */
export async function safePost(post: PostRequest, options: SafeFetchOptions): Promise<PostAnswer> {
  const limits = options.limits ?? NOTIFY_LIMITS;
  const finished = new AbortController();
  const timeout = (ms: number): Promise<void> => options.clock.sleep(ms, finished.signal);
  const total = timeout(limits.totalMs);
  try {
    const judged = await Promise.race([judgeUrl(post.url, options), timeout(limits.connectMs)]);
    if (judged === undefined) throw failed(`name not resolved within ${limits.connectMs} ms`);
    if (!judged.allowed) throw new AssayError('ASSAY_ADDRESS_REFUSED', judged.reason);
    return await send(post, judged, {limits, total, timeout});
  } finally {
    finished.abort();
  }
}

type Allowed = Extract<JudgedUrl, {readonly allowed: true}>;

type Timing = {
  readonly limits: FetchLimits;
  readonly total: Promise<void>;
  readonly timeout: (ms: number) => Promise<void>;
};

const failed = (message: string, cause?: unknown): AssayError => new AssayError('ASSAY_DELIVERY_FAILED', message, {cause});

function send(post: PostRequest, target: Allowed, {limits, total, timeout}: Timing): Promise<PostAnswer> {
  return new Promise((resolve, reject) => {
    const request = openRequest(post, target);
    let answer: IncomingMessage | undefined;
    const body: Buffer[] = [];
    let bodyBytes = 0;

    const settle = (isTruncated: boolean, reason: AssayError): void => {
      if (answer?.statusCode === undefined) reject(reason);
      else resolve({status: answer.statusCode, headers: answer.headers, body: Buffer.concat(body).toString('utf8').slice(0, limits.responseBytesMax), isTruncated});
      request.destroy();
    };

    let isConnected = false;
    request.on('socket', socket => {
      socket.once(target.url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
        isConnected = true;
      });
    });
    void timeout(limits.connectMs).then(() => {
      if (!isConnected) settle(true, failed(`no connection within ${limits.connectMs} ms`));
    });
    void total.then(() => settle(true, failed(`no answer within ${limits.totalMs} ms`)));

    request.on('error', error => settle(true, failed(withoutUrl(error, target.url), error)));
    request.on('response', response => {
      answer = response;
      response.on('data', (chunk: Buffer) => {
        const room = limits.responseBytesMax - bodyBytes;
        body.push(chunk.subarray(0, room));
        bodyBytes += chunk.length;
        if (chunk.length > room) settle(true, failed('answer too long'));
      });
      response.on('end', () => settle(!response.complete, failed('answer cut off')));
      response.on('error', error => settle(true, failed(messageOf(error), error)));
      response.on('close', () => settle(true, failed('answer cut off')));
    });
    request.end(post.body);
  });
}

function openRequest(post: PostRequest, {url, addresses}: Allowed): ClientRequest {
  const options: RequestOptions & {autoSelectFamily: boolean; autoSelectFamilyAttemptTimeout: number} = {
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    method: 'POST',
    headers: {...post.headers, host: url.host, 'content-length': Buffer.byteLength(post.body), connection: 'close'},
    agent: false,
    lookup: pinnedLookup(addresses),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: NOTIFY_LIMITS.addressAttemptMs,
    maxHeaderSize: 16 * 1024,
  };
  return url.protocol === 'https:' ? httpsRequest(options) : httpRequest(options);
}

/** Answers with the checked addresses whatever is asked, so that a second look-up cannot say otherwise. */
function pinnedLookup(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_hostname, options, callback) => {
    if (options.all === true) {
      callback(null, addresses.map(({address, family}) => ({address, family})));
      return;
    }
    const [first] = addresses;
    callback(null, first?.address ?? '', first?.family ?? 4);
  };
}

/** Chat services keep their token in the path: an error may name the host only. */
const withoutUrl = (error: unknown, url: URL): string => {
  const text = error instanceof AggregateError && error.errors.length > 0 ? messageOf(error.errors[0]) : messageOf(error);
  const hidden = `${url.pathname}${url.search}`;
  const safe = hidden === '/' ? text : text.replaceAll(hidden, '/…');
  return safe.slice(0, NOTIFY_LIMITS.errorCharsMax);
};
