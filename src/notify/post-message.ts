import type {Clock} from '../core/clock.ts';
import {AssayError, messageOf} from '../core/errors.ts';
import {epochMs} from '../core/units.ts';
import type {DeliveryResult} from './channel.ts';
import type {Resolve} from './check-url.ts';
import {NOTIFY_LIMITS} from './limits.ts';
import {retryAfterMs} from './retry-after.ts';
import {type FetchLimits, type PostAnswer, type PostRequest, safePost} from './safe-fetch.ts';

/** Where and how a channel posts. */
export type Endpoint = {
  readonly url: string;
  /** Hosts that may be plain http, loopback or private. */
  readonly allow: readonly string[];
  readonly clock: Clock;
  readonly resolve: Resolve;
  /** For the time-outs when they run on another clock than the schedule (tests). */
  readonly fetchClock?: Clock;
  readonly limits?: FetchLimits;
};

/** What an answer means, without its circumstances. */
export type Judgement =
  | {readonly outcome: 'delivered'}
  | {readonly outcome: 'gone'; readonly error: string}
  | {readonly outcome: 'failed'; readonly error: string; readonly isSlowDown: boolean; readonly retryAfterMs?: number};

const SLOW_DOWN: readonly number[] = [429, 502, 504];

/** The status alone: any 2xx is success, 410 is for ever. */
export function judgeStatus({status}: PostAnswer): Judgement {
  if (status >= 200 && status < 300) return {outcome: 'delivered'};
  if (status === 410) return {outcome: 'gone', error: 'answered 410: the receiver wants no more'};
  const error = status >= 300 && status < 400 ? `answered ${status}: redirects are not followed` : `answered ${status}`;
  return {outcome: 'failed', error, isSlowDown: SLOW_DOWN.includes(status)};
}

/** One POST; whatever the receiver or the network does becomes a result. */
export async function postMessage(request: Omit<PostRequest, 'url'> & {readonly url?: string}, endpoint: Endpoint, judge: (answer: PostAnswer) => Judgement): Promise<DeliveryResult> {
  const {url, allow, clock, resolve, fetchClock, limits} = endpoint;
  const startedAt = clock.now();
  const took = (): number => clock.now() - startedAt;
  try {
    const options = {allow, resolve, clock: fetchClock ?? clock, ...(limits === undefined ? {} : {limits})};
    const answer = await safePost({url, ...request, headers: {'user-agent': 'Assay-Webhooks/1', accept: 'application/json', ...request.headers}}, options);
    return resultOf(judge(answer), answer, {clock, durationMs: took()});
  } catch (error) {
    const code = error instanceof AssayError ? `${error.code}: ` : '';
    return {outcome: 'failed', status: null, error: shortError(`${code}${messageOf(error)}`), retryAfterMs: null, isSlowDown: false, durationMs: took()};
  }
}

function resultOf(judged: Judgement, {status, headers}: PostAnswer, {clock, durationMs}: {readonly clock: Clock; readonly durationMs: number}): DeliveryResult {
  if (judged.outcome === 'delivered') return {outcome: 'delivered', status, durationMs};
  const error = shortError(judged.error);
  if (judged.outcome === 'gone') return {outcome: 'gone', status, error, durationMs};
  const wait = retryAfterMs(headers['retry-after'], epochMs(clock.now())) ?? judged.retryAfterMs ?? null;
  return {outcome: 'failed', status, error, retryAfterMs: wait, isSlowDown: judged.isSlowDown, durationMs};
}

const shortError = (error: string): string => error.slice(0, NOTIFY_LIMITS.errorCharsMax);
