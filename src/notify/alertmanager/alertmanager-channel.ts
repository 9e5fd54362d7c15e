import {labelsOf} from '../../guard/routing.ts';
import type {AlertRow} from '../../warehouse/warehouse.ts';
import type {Attempt, Channel, Composed, DeliveryResult, Notice, OutboundMessage} from '../channel.ts';
import {type Endpoint, judgeStatus, postMessage} from '../post-message.ts';

export type AlertmanagerOptions = Endpoint & {readonly name: string};

/**
 * Alertmanager resolves by itself what it does not hear of for five minutes. The outbox
 * tells of a change once, so an alert that fires carries an end far away; the one that
 * resolves it brings the end forward.
 */
const FIRES_FOR_MS = 365 * 86_400_000;

/** Alertmanager's `POST /api/v2/alerts`, so that its routing, grouping and silences take over. Reports are not for it. */
export class AlertmanagerChannel implements Channel {
  readonly kind = 'alertmanager';
  readonly name: string;
  readonly #options: AlertmanagerOptions;

  constructor(options: AlertmanagerOptions) {
    this.name = options.name;
    this.#options = {...options, url: `${options.url.replace(/\/+$/, '')}/api/v2/alerts`};
  }

  compose(notice: Notice): Composed {
    return {body: JSON.stringify(payload(notice)), contentType: 'application/json'};
  }

  deliver({body, contentType}: OutboundMessage, _attempt: Attempt): Promise<DeliveryResult> {
    return postMessage({headers: {'content-type': contentType}, body}, this.#options, judgeStatus);
  }
}

function payload(notice: Notice): readonly unknown[] {
  if (notice.type === 'alert') return [notice.alert, ...(notice.others ?? [])].map(row => alertOf(row, notice.link));
  if (notice.type !== 'test') return [];
  const endsAt = new Date(notice.at + 60_000).toISOString();
  return [{labels: {alertname: 'AssayTest', severity: 'info'}, annotations: {summary: 'Test from Assay'}, startsAt: new Date(notice.at).toISOString(), endsAt}];
}

function alertOf(row: AlertRow, link: string | null): unknown {
  const {rule, ...labels} = labelsOf(row);
  const startsAt = typeof row.context['fired_at'] === 'string' ? row.context['fired_at'] : row.changed_at;
  const endsAt = row.state === 'resolved' ? row.changed_at : new Date(Date.parse(startsAt) + FIRES_FOR_MS).toISOString();
  const written = row.context['annotations'];
  return {
    // An empty label is the same as none to Alertmanager.
    labels: Object.fromEntries(Object.entries({...labels, alertname: rule ?? row.rule}).filter(([, value]) => value !== '').map(([name, value]) => [name.replaceAll(/[^a-zA-Z0-9_]/g, '_'), value])),
    annotations: {...(typeof written === 'object' ? written : {}), reason: row.reason, value: String(row.value), threshold: String(row.threshold), alert_id: row.alert_id},
    startsAt,
    endsAt,
    ...(link === null ? {} : {generatorURL: link}),
  };
}
