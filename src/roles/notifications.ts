import type {Verdict} from '../core/verdict.ts';
import {AssayError} from '../core/errors.ts';
import {epochMs} from '../core/units.ts';
import {type AlertTransition, noticeId, noticesToRepeat} from '../guard/alert-state.ts';
import {systemResolve} from '../notify/check-url.ts';
import type {DeliveryResult} from '../notify/channel.ts';
import {deliveryIdOf} from '../notify/delivery-state.ts';
import {Outbox} from '../notify/outbox.ts';
import {ReportPublisher, type Subscription} from '../notify/publish-reports.ts';
import {CronTimes, runDigestSchedule} from '../notify/schedule.ts';
import {textsOf} from '../report/languages.ts';
import type {AlertRow} from '../warehouse/warehouse.ts';
import type {Platform} from './platform.ts';
import {openChannel} from './wire-channels.ts';

/** Who is told what: the outbox with its channels, reports on a change of decision and by the clock, alerts. */
export type Notifications = {
  readonly outbox: Outbox;
  /** Enqueues what stored verdicts changed; call it before the next analysis of their experiments. */
  verdictsStored(verdicts: readonly Verdict[]): Promise<void>;
  alertsChanged(transitions: readonly AlertTransition[]): Promise<void>;
  /** Posts one test message, outside the outbox. */
  testChannel(name: string): Promise<DeliveryResult>;
  /** Delivers and posts digests until the signal. */
  run(signal: AbortSignal): Promise<void>;
};

/** Everything configured under `webhooks`; without any, nothing is enqueued. */
export function openNotifications(platform: Platform): Notifications {
  const {config, warehouse, clock, rng, logger, metrics, closing} = platform;
  const subscriptions: Subscription[] = config.webhooks.map(webhook => ({
    channel: openChannel(webhook, {clock, resolve: systemResolve}),
    events: webhook.events,
    texts: textsOf(webhook.language),
  }));
  const channels = subscriptions.map(({channel}) => channel);
  const outbox = new Outbox({store: warehouse, channels, clock, rng, logger, metrics});
  const enqueue = outbox.enqueue.bind(outbox);
  const publicUrl = config.text('reports.public_url');
  const publisher = new ReportPublisher({verdicts: warehouse, enqueue, subscriptions, clock, publicUrl});
  const cron = config.text('reports.cron');
  const times = cron === '' ? null : new CronTimes(cron);

  const tell = async (row: AlertRow): Promise<void> => {
    for (const {channel, events} of subscriptions) {
      if (!events.includes('alert')) continue;
      const composed = channel.compose({type: 'alert', at: epochMs(Date.parse(row.changed_at)), alert: row, link: publicUrl === '' ? null : publicUrl});
      await outbox.enqueue({
        deliveryId: deliveryIdOf(channel.name, ['alert', noticeId(row)]),
        channel: channel.name,
        subject: `alert ${row.rule} ${row.experiment}/${row.variant}: ${row.state}`,
        ...composed,
      });
    }
  };
  const publishDigests = async (at: Parameters<ReportPublisher['publishDigest']>[1]): Promise<void> => {
    for (const stream of closing.streams()) await publisher.publishDigest(stream.name, at);
  };

  return {
    outbox,
    verdictsStored: async verdicts => void (await publisher.publishChangesOf(verdicts)),
    alertsChanged: async transitions => {
      for (const {row, isNotable} of transitions) if (isNotable) await tell(row);
    },
    testChannel: async name => {
      const channel = channels.find(one => one.name === name);
      if (channel === undefined) throw new AssayError('ASSAY_NOT_FOUND', `no channel ${JSON.stringify(name)} under webhooks; configured: ${channels.map(one => one.name).join(', ') || 'none'}`);
      const composed = channel.compose({type: 'test', at: clock.now()});
      return channel.deliver({deliveryId: deliveryIdOf(channel.name, ['test', String(clock.now())]), ...composed}, {number: 1, at: clock.now()});
    },
    run: async signal => {
      // What was stored but not enqueued when the last process died; known ids add nothing.
      for (const stream of closing.streams()) {
        await publisher.publishChanges(stream.name);
        for (const row of noticesToRepeat(await warehouse.latestAlerts(stream.name))) await tell(row);
      }
      const digests = times === null ? Promise.resolve() : runDigestSchedule({times, publish: publishDigests, store: warehouse, clock, logger}, signal);
      await Promise.all([outbox.run(signal), digests]);
    },
  };
}
