import type {EpochMs} from '../core/units.ts';
import type {Report} from '../report/report.ts';

/** What happened, before any channel gave it a form. */
export type Notice = {
  readonly type: 'decision_changed' | 'digest';
  /** When it happened (not when it is sent). */
  readonly at: EpochMs;
  readonly report: Report;
};

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
 * The port to one configured receiver. Adapters: `generic/` (Standard Webhooks); one
 * sub-folder per chat service to come.
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
  compose(notice: Notice): Composed;
  deliver(message: OutboundMessage, attempt: Attempt): Promise<DeliveryResult>;
}
