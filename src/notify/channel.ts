import type {EpochMs} from '../core/units.ts';
import type {Report} from '../report/report.ts';
import type {ChartLink} from './chart-link.ts';
import type {AlertRow} from '../warehouse/warehouse.ts';

/** What happened, before any channel gave it a form. */
export type Notice = ReportNotice | AlertNotice | TestNotice;

export type ReportNotice = {
  readonly type: 'decision_changed' | 'digest';
  /** When it happened (not when it is sent). */
  readonly at: EpochMs;
  /** In the language of the channel's readers. */
  readonly report: Report;
  /** Where its main chart is. */
  readonly chart?: ChartLink | null;
  /** The chart itself, for a channel that takes pictures; PNG. */
  readonly picture?: Uint8Array | null;
};

export type AlertNotice = {
  readonly type: 'alert';
  readonly at: EpochMs;
  readonly alert: AlertRow;
  /** Of the same group, changed at the same time. */
  readonly others?: readonly AlertRow[];
  /** Where a person can look further; null without a public address. */
  readonly link: string | null;
};

/** Asked for by a person, to see whether a channel works. */
export type TestNotice = {readonly type: 'test'; readonly at: EpochMs};

/** A notice in a channel's form, ready for the outbox. */
export type Composed = {readonly body: string; readonly contentType: string};

export type OutboundMessage = {
  /** Stable over retries, restarts and redelivery: the receiver's key against duplicates. */
  readonly deliveryId: string;
  readonly body: string;
  readonly contentType: string;
};

export type Attempt = {
  /** 1 for the first. */
  readonly number: number;
  readonly at: EpochMs;
};

/**
 * - `delivered` the receiver took it;
 * - `failed`    try again, not before `retryAfterMs` when it says so; `isSlowDown`
 *               asks for fewer messages to the whole channel;
 * - `gone`      the receiver wants no message ever again.
 */
export type DeliveryResult =
  | {readonly outcome: 'delivered'; readonly status: number; readonly durationMs: number}
  | {
      readonly outcome: 'failed';
      /** null when no answer came. */
      readonly status: number | null;
      readonly error: string;
      readonly retryAfterMs: number | null;
      readonly isSlowDown: boolean;
      readonly durationMs: number;
    }
  | {readonly outcome: 'gone'; readonly status: number; readonly error: string; readonly durationMs: number};

/**
 * A receiver that takes few messages a minute: posts keep `everyMs` apart, and what
 * waits meanwhile goes out as one message, so that nothing is held back for long and
 * the receiver never has a reason to shut us out.
 */
export type Digesting = {
  readonly everyMs: number;
  /** Messages in one digest at most; so many fit the service's size limit. */
  readonly messagesMax: number;
  /** Two or more messages, in order, as one. */
  combine(messages: readonly OutboundMessage[]): OutboundMessage;
};

/**
 * The port to one configured receiver. Adapters, one sub-folder each: `generic/` (Standard
 * Webhooks), `slack/`, `wecom/`, `feishu/`, `dingtalk/`. Every adapter passes
 * `test/notify/channel.contract.ts`.
 *
 * `compose` is pure: the same notice gives the same bytes. `deliver` makes one attempt,
 * never throws for what the receiver or the network does, and never retries by itself.
 * Errors in results hold no secret and no more of a URL than its host: chat services
 * keep their token in the path.
 */
export interface Channel {
  readonly kind: string;
  /** The configured name; unique. */
  readonly name: string;
  readonly digesting?: Digesting;
  /** Pictures are sent as bytes, so notices need theirs drawn. */
  readonly takesPictures?: boolean;
  compose(notice: Notice): Composed;
  deliver(message: OutboundMessage, attempt: Attempt): Promise<DeliveryResult>;
}
