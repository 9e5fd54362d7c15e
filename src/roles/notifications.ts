import type {Verdict} from '../core/verdict.ts';
import {AssayError, messageOf} from '../core/errors.ts';
import {epochMs} from '../core/units.ts';
import {planNotices, type PlannedNotice} from '../guard/plan-notices.ts';
import type {Routing} from '../guard/routing.ts';
import {systemResolve} from '../notify/check-url.ts';
import type {DeliveryResult} from '../notify/channel.ts';
import {deliveryIdOf} from '../notify/delivery-state.ts';
import {Outbox} from '../notify/outbox.ts';
import {ReportPublisher, type Subscription} from '../notify/publish-reports.ts';
import {CronTimes, runDigestSchedule} from '../notify/schedule.ts';
import {textsOf} from '../report/languages.ts';
import {renderPng} from '../report/render-png.ts';
import type {Platform} from './platform.ts';
import {openAlertmanager, openChannel} from './wire-channels.ts';

/** Who is told what: the outbox with its channels, reports on a change of decision and by the clock, alerts. */
export type Notifications = {
  readonly outbox: Outbox;
  /** Enqueues what stored verdicts changed; call it before the next analysis of their experiments. */
  verdictsStored(verdicts: readonly Verdict[]): Promise<void>;
  /** Enqueues everything that should have been said of a stream's alerts by now; what was said before is known by its id. */
  tellAlerts(look: AlertLook): Promise<void>;
  /** Posts one test message, outside the outbox. */
  testChannel(name: string): Promise<DeliveryResult>;
  /** Delivers and posts digests until the signal. */
  run(signal: AbortSignal): Promise<void>;
};

export type AlertLook = {
  readonly stream: string;
  readonly routing: Routing;
  readonly isLive: boolean;
  /** Names of the rules there are: an alert of a rule that was taken away is over. */
  readonly rules: ReadonlySet<string>;
};

/** Ids of messages that the outbox surely knows, so that looking again asks the store nothing. */
const TOLD_MAX = 10_000;

/** Everything configured under `webhooks`; without any, nothing is enqueued. */
export function openNotifications(platform: Platform): Notifications {
  const {config, warehouse, clock, rng, logger, metrics, closing} = platform;
  const endpoint = {clock, resolve: systemResolve};
  const alertmanager = openAlertmanager(config, endpoint);
  const subscriptions: Subscription[] = [
    ...config.webhooks.map(webhook => ({channel: openChannel(webhook, endpoint), events: webhook.events, texts: textsOf(webhook.language)})),
    ...(alertmanager === null ? [] : [{channel: alertmanager, events: ['alert'], texts: textsOf('en')}]),
  ];
  const channels = subscriptions.map(({channel}) => channel);
  const outbox = new Outbox({store: warehouse, channels, clock, rng, logger, metrics});
  const enqueue = outbox.enqueue.bind(outbox);
  const publicUrl = config.text('reports.public_url');
  const publisher = new ReportPublisher({
    verdicts: warehouse, enqueue, subscriptions, clock, publicUrl, chartSecret: config.text('reports.chart_secret'),
    draw: (report, texts) =>
      renderPng(report, texts).catch((error: unknown) => {
        logger.warn('chart not drawn', {error: messageOf(error)});
        return null;
      }),
  });
  const cron = config.text('reports.cron');
  const times = cron === '' ? null : new CronTimes(cron);

  const told = new Set<string>();
  const tell = async ({receiver, about, alerts, firstAbout}: PlannedNotice): Promise<void> => {
    const subscription = subscriptions.find(({channel}) => channel.name === receiver);
    const deliveryId = deliveryIdOf(receiver, about);
    if (subscription === undefined || told.has(deliveryId)) return;
    // Nobody was told of it firing (another alert was enough): nothing is taken back.
    if (firstAbout !== null && (await warehouse.delivery(deliveryIdOf(receiver, firstAbout))) === null) return;
    const [alert, ...others] = alerts;
    const at = epochMs(Date.parse(alert.changed_at));
    const composed = subscription.channel.compose({type: 'alert', at, alert, others, link: publicUrl === '' ? null : publicUrl});
    const what = others.length === 0 ? `${alert.rule} ${alert.experiment}/${alert.variant}` : `${alert.rule} and ${others.length} more`;
    await outbox.enqueue({deliveryId, channel: receiver, subject: `alert ${what}: ${alert.state}`, ...composed});
    if (told.size >= TOLD_MAX) told.clear();
    told.add(deliveryId);
  };
  const publishDigests = async (at: Parameters<ReportPublisher['publishDigest']>[1]): Promise<void> => {
    for (const stream of closing.streams()) await publisher.publishDigest(stream.name, at);
  };

  return {
    outbox,
    verdictsStored: async verdicts => void (await publisher.publishChangesOf(verdicts)),
    tellAlerts: async ({stream, routing, isLive, rules}) => {
      const receivers = subscriptions.filter(({events}) => events.includes('alert')).map(({channel}) => channel.name);
      if (receivers.length === 0) return;
      const rows = (await warehouse.latestAlerts(stream)).filter(({rule}) => rules.has(rule));
      for (const notice of planNotices({rows, routing, receivers, now: clock.now(), isLive})) await tell(notice);
    },
    testChannel: async name => {
      const channel = channels.find(one => one.name === name);
      if (channel === undefined) throw new AssayError('ASSAY_NOT_FOUND', `no channel ${JSON.stringify(name)} under webhooks; configured: ${channels.map(one => one.name).join(', ') || 'none'}`);
      const composed = channel.compose({type: 'test', at: clock.now()});
      return channel.deliver({deliveryId: deliveryIdOf(channel.name, ['test', String(clock.now())]), ...composed}, {number: 1, at: clock.now()});
    },
    run: async signal => {
      // What was stored but not enqueued when the last process died; known ids add nothing.
      for (const stream of closing.streams()) await publisher.publishChanges(stream.name);
      const digests = times === null ? Promise.resolve() : runDigestSchedule({times, publish: publishDigests, store: warehouse, clock, logger}, signal);
      await Promise.all([outbox.run(signal), digests]);
    },
  };
}
