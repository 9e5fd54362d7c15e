import type {Report} from '../../report/report.ts';
import {renderJson} from '../../report/render-json.ts';
import type {AlertNotice, Attempt, Channel, Composed, DeliveryResult, Notice, OutboundMessage} from '../channel.ts';
import {NOTIFY_LIMITS} from '../limits.ts';
import {type Endpoint, judgeStatus, postMessage} from '../post-message.ts';
import {signWebhook} from '../sign-webhook.ts';

/** Raised when a field of the payload changes its meaning or goes away. */
export const WEBHOOK_SCHEMA_VERSION = 1;

export type GenericChannelOptions = Endpoint & {
  readonly name: string;
  /** One or two live secrets, `whsec_…`. */
  readonly secrets: readonly string[];
};

/**
 * JSON by Standard Webhooks:
 * `{schema_version, type: "assay.decision_changed", timestamp, data: Report}`; the data of
 * `assay.alert` is the alert's row. Any 2xx status is success; the answer's body says nothing.
 */
export class GenericChannel implements Channel {
  readonly kind = 'generic';
  readonly name: string;
  readonly #options: GenericChannelOptions;

  constructor(options: GenericChannelOptions) {
    this.name = options.name;
    this.#options = options;
  }

  compose(notice: Notice): Composed {
    const {type, at} = notice;
    const payload = (data: unknown): string =>
      JSON.stringify({schema_version: WEBHOOK_SCHEMA_VERSION, type: `assay.${type}`, timestamp: new Date(at).toISOString(), data});
    const contentType = 'application/json';
    if (notice.type === 'alert') return {body: payload(alertData(notice)), contentType};
    if (notice.type === 'test') return {body: payload({}), contentType};
    const whole = payload(JSON.parse(renderJson(notice.report, 0)));
    const isTooLong = Buffer.byteLength(whole) > NOTIFY_LIMITS.bodyBytesMax;
    return {body: isTooLong ? payload(shortReport(notice.report)) : whole, contentType};
  }

  deliver({deliveryId, body, contentType}: OutboundMessage, {at}: Attempt): Promise<DeliveryResult> {
    const signed = signWebhook({id: deliveryId, at, body}, this.#options.secrets);
    return postMessage({headers: {'content-type': contentType, ...signed}, body}, this.#options, judgeStatus);
  }
}

/** The alert's row; of a group the other rows too, as many as fit. */
function alertData({alert, others = [], link}: AlertNotice): unknown {
  const grouped = others.slice(0, GROUPED_MAX);
  return {...alert, ...(link === null ? {} : {link}), ...(grouped.length === 0 ? {} : {grouped, grouped_total: others.length})};
}

const GROUPED_MAX = 50;

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
  shared: Omit<Endpoint, 'url' | 'allow'>,
): GenericChannel[] => webhooks.map(({name, url, secrets, allow}) => new GenericChannel({...shared, name, url, secrets, allow}));
