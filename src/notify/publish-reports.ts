import type {Clock} from '../core/clock.ts';
import type {EpochMs} from '../core/units.ts';
import type {Decision, Verdict} from '../core/verdict.ts';
import {buildReport} from '../report/build-report.ts';
import {groupBy, newestRows} from '../report/newest-rows.ts';
import type {Report} from '../report/report.ts';
import type {Texts} from '../report/texts.ts';
import type {VerdictStore} from '../warehouse/warehouse.ts';
import type {Channel, ReportNotice} from './channel.ts';
import {chartLink} from './chart-link.ts';
import {deliveryIdOf, type NewDelivery} from './delivery-state.ts';

/** What a configured webhook wants to hear. */
export type Subscription = {
  readonly channel: Channel;
  readonly events: readonly string[];
  /** Of its readers' language. */
  readonly texts: Texts;
};

export type PublisherOptions = {
  readonly verdicts: Pick<VerdictStore, 'latestVerdicts'>;
  readonly enqueue: (message: NewDelivery) => Promise<'queued' | 'known'>;
  readonly subscriptions: readonly Subscription[];
  readonly clock: Clock;
  /** Address of this server in links; '' for none. */
  readonly publicUrl: string;
  /** Signs the addresses of charts that a chat service fetches; '' leaves them for people with a key. */
  readonly chartSecret?: string;
  /** Draws the main chart for channels that take pictures; null where this machine cannot. */
  readonly draw?: (report: Report, texts: Texts) => Promise<Uint8Array | null>;
};

/** A notice that gets its words from each of its readers. */
type Unworded = Omit<ReportNotice, 'report'> & {readonly report: (texts: Texts) => Report};

export type PublishResult = {readonly queued: readonly string[]; readonly known: readonly string[]};

/**
 * Verdict rows → one message per webhook in the outbox. Ids are made from what a message
 * is about, so publishing the same again, after a crash or from another process, adds
 * nothing.
 *
 * No change is lost when `publishChanges` runs (a) at start, before the first analysis and
 * (b) after every `insertVerdicts`, before the next analysis of the experiment: a newer
 * verdict no longer shows the change. If it throws, repeat it before going on.
 */
export class ReportPublisher {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Announces each treatment whose newest verdict has another decision than the one before. */
  async publishChanges(stream: string): Promise<PublishResult> {
    return this.publishChangesOf(await this.#options.verdicts.latestVerdicts(stream, null));
  }

  async publishChangesOf(verdicts: readonly Verdict[]): Promise<PublishResult> {
    const {clock, publicUrl} = this.#options;
    const messages = changedTreatments(verdicts).map(change => {
      const at = clock.now();
      const report = (texts: Texts): Report => buildReport(change.rows, {kind: 'decision_changed', generatedAt: at, publicUrl, texts});
      const about = [change.decision, change.rows.map(row => row.verdict_id).sort()];
      const subject = `decision_changed ${change.stream}/${change.experiment}/${change.variant}: ${change.decision}`;
      return this.#messages({type: 'decision_changed', at, report}, {about, subject});
    });
    return this.#enqueue((await Promise.all(messages)).flat());
  }

  /** The digest of a scheduled time: all experiments of the stream. Nothing is sent before the first verdict. */
  async publishDigest(stream: string, scheduledAt: EpochMs): Promise<PublishResult> {
    const verdicts = await this.#options.verdicts.latestVerdicts(stream, null);
    if (verdicts.length === 0) return {queued: [], known: []};
    const {clock, publicUrl} = this.#options;
    const at = clock.now();
    const report = (texts: Texts): Report => buildReport(verdicts, {kind: 'digest', generatedAt: at, publicUrl, texts});
    const scheduled = new Date(scheduledAt).toISOString();
    const subject = `digest ${stream}: ${scheduled}`;
    return this.#enqueue(await this.#messages({type: 'digest', at, report}, {about: [stream, scheduled], subject}));
  }

  #messages({type, at, report}: Unworded, {about, subject}: {readonly about: readonly unknown[]; readonly subject: string}): Promise<NewDelivery[]> {
    const {subscriptions, publicUrl, chartSecret: secret = '', draw} = this.#options;
    const wanted = subscriptions.filter(({events}) => events.includes(type));
    return Promise.all(
      wanted.map(async ({channel, texts}) => {
        const worded = report(texts);
        const chart = chartLink(worded, {publicUrl, secret, language: texts.language.startsWith('zh') ? 'zh' : 'en'});
        const picture = channel.takesPictures === true && draw !== undefined ? await draw(worded, texts) : null;
        return {deliveryId: deliveryIdOf(channel.name, [type, ...about]), channel: channel.name, subject, ...channel.compose({type, at, report: worded, chart, picture})};
      }),
    );
  }

  async #enqueue(messages: readonly NewDelivery[]): Promise<PublishResult> {
    const result = {queued: [] as string[], known: [] as string[]};
    for (const message of messages) result[await this.#options.enqueue(message)].push(message.deliveryId);
    return result;
  }
}

export type DecisionChange = {
  readonly stream: string;
  readonly experiment: string;
  readonly variant: string;
  readonly decision: Decision;
  readonly rows: readonly Verdict[];
};

/** Treatments whose decision is new. A first verdict counts only when it asks for something. */
export function changedTreatments(verdicts: readonly Verdict[]): DecisionChange[] {
  return newestRows(verdicts).flatMap(({stream, experiment, rows}) =>
    groupBy(rows, row => row.variant).flatMap(ofVariant => {
      const changed = ofVariant.find(isChange);
      return changed === undefined ? [] : [{stream, experiment, variant: changed.variant, decision: changed.decision, rows: ofVariant}];
    }),
  );
}

const QUIET: readonly Decision[] = ['keep_running', 'no_data'];

const isChange = ({decision, previous_decision: previous}: Verdict): boolean =>
  previous === null ? !QUIET.includes(decision) : previous !== decision;
