import type {Clock} from '../../core/clock.ts';
import {AssayError, messageOf} from '../../core/errors.ts';
import {epochMs} from '../../core/units.ts';
import type {Report} from '../../report/report.ts';
import {renderJson} from '../../report/render-json.ts';
import type {Attempt, Channel, Composed, DeliveryResult, Notice, OutboundMessage} from '../channel.ts';
import type {Resolve} from '../check-url.ts';
import {NOTIFY_LIMITS} from '../limits.ts';
import {retryAfterMs} from '../retry-after.ts';
import {type FetchLimits, type PostAnswer, safePost} from '../safe-fetch.ts';
import {signWebhook} from '../sign-webhook.ts';

/** Raised when a field of the payload changes its meaning or goes away. */
export const WEBHOOK_SCHEMA_VERSION = 1;

export type GenericChannelOptions = {
  readonly name: string;
  readonly url: string;
  /** One or two live secrets, `whsec_…`. */
  readonly secrets: readonly string[];
  readonly allow: readonly string[];
  readonly clock: Clock;
  readonly resolve: Resolve;
  /** For the time-outs when they run on another clock than the schedule (tests). */
  readonly fetchClock?: Clock;
  readonly limits?: FetchLimits;
};

/**
 * JSON by Standard Webhooks:
 * `{schema_version, type: "assay.decision_changed", timestamp, data: Report}`.
 * Any 2xx status is success; the answer's body says nothing.
 */
export class GenericChannel implements Channel {
  readonly kind = 'generic';
  readonly name: string;
  readonly #options: GenericChannelOptions;

  constructor(options: GenericChannelOptions) {
    this.name = options.name;
    this.#options = options;
  }

  compose({type, at, report}: Notice): Composed {
    const payload = (data: unknown): string =>
      JSON.stringify({schema_version: WEBHOOK_SCHEMA_VERSION, type: `assay.${type}`, timestamp: new Date(at).toISOString(), data});
    const whole = payload(JSON.parse(renderJson(report, 0)));
    const isTooLong = Buffer.byteLength(whole) > NOTIFY_LIMITS.bodyBytesMax;
    return {body: isTooLong ? payload(shortReport(report)) : whole, contentType: 'application/json'};
  }

  async deliver(message: OutboundMessage, attempt: Attempt): Promise<DeliveryResult> {
    const {url, secrets, allow, clock, resolve, fetchClock, limits} = this.#options;
    const startedAt = clock.now();
    const took = (): number => clock.now() - startedAt;
    try {
      const signed = signWebhook({id: message.deliveryId, at: attempt.at, body: message.body}, secrets);
      const headers = {'content-type': message.contentType, 'user-agent': 'Assay-Webhooks/1', accept: 'application/json', ...signed};
      const fetchOptions = {allow, resolve, clock: fetchClock ?? clock, ...(limits === undefined ? {} : {limits})};
      const answer = await safePost({url, headers, body: message.body}, fetchOptions);
      return judgeAnswer(answer, clock, took());
    } catch (error) {
      const code = error instanceof AssayError ? `${error.code}: ` : '';
      return {outcome: 'failed', status: null, error: `${code}${messageOf(error)}`.slice(0, NOTIFY_LIMITS.errorCharsMax), retryAfterMs: null, isSlowDown: false, durationMs: took()};
    }
  }
}

const SLOW_DOWN: readonly number[] = [429, 502, 504];

function judgeAnswer({status, headers}: PostAnswer, clock: Clock, durationMs: number): DeliveryResult {
  if (status >= 200 && status < 300) return {outcome: 'delivered', status, durationMs};
  if (status === 410) return {outcome: 'gone', status, error: 'answered 410: the receiver wants no more', durationMs};
  const error = status >= 300 && status < 400 ? `answered ${status}: redirects are not followed` : `answered ${status}`;
  const wait = retryAfterMs(headers['retry-after'], epochMs(clock.now()));
  return {outcome: 'failed', status, error, retryAfterMs: wait, isSlowDown: SLOW_DOWN.includes(status), durationMs};
}

/** A report beyond the size limit: what was decided and why, and where the rest is. */
function shortReport(report: Report): unknown {
  const cut = (text: string): string => text.slice(0, 1_000);
  return {
    schema_version: report.schema_version,
    kind: report.kind,
    generated_at: report.generated_at,
    headline: cut(report.headline),
    summary: report.summary,
    is_truncated: true,
    experiments: report.experiments.slice(0, 100).map(({stream, experiment, decision, headline, audit, data_to, link, treatments}) => ({
      stream, experiment, decision, headline: cut(headline), audit, data_to, link,
      treatments: treatments.slice(0, 20).map(({variant, decision: own, previous_decision}) => ({variant, decision: own, previous_decision})),
    })),
  };
}

/** One channel per configured webhook. */
export const genericChannels = (
  webhooks: readonly Pick<GenericChannelOptions, 'name' | 'url' | 'secrets' | 'allow'>[],
  shared: Pick<GenericChannelOptions, 'clock' | 'resolve'> & Partial<Pick<GenericChannelOptions, 'fetchClock' | 'limits'>>,
): GenericChannel[] => webhooks.map(({name, url, secrets, allow}) => new GenericChannel({name, url, secrets, allow, ...shared}));
