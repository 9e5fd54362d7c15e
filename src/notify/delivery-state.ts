import {epochMs, type EpochMs} from '../core/units.ts';
import {digestOf} from '../core/canonical-json.ts';
import type {DeliveryRow} from '../warehouse/warehouse.ts';
import type {DeliveryResult} from './channel.ts';
import {NOTIFY_LIMITS, RETRY_JITTER, RETRY_SCHEDULE_MS} from './limits.ts';

/*
 * The states of one delivery. A row is written for every arrow; the newest counts.
 *
 *                     ┌── failed attempt, schedule not used up ──┐
 *                     ▼                                          │
 *     enqueue ──►   due  ─────────────────────────────────────► (POST)
 *                     ▲                                          │
 *          redeliver  │        2xx ──► delivered                 │
 *                     ├─────── tenth failure ──► failed          │
 *                     └─────── 410, or 120 h of failures ──► disabled (the whole channel)
 *
 * Killed between POST and the row that says so: the row still is `due`, and the same
 * delivery_id is posted again.
 */

export type NewDelivery = {
  readonly deliveryId: string;
  readonly channel: string;
  /** `about: what`; messages of one channel with the same `about` arrive in order. */
  readonly subject: string;
  readonly body: string;
  readonly contentType: string;
};

/** The id of what a delivery is about: equal facts have equal ids, in any process, at any time. */
export const deliveryIdOf = (channel: string, about: readonly unknown[]): string => `msg_${digestOf([channel, ...about]).slice(0, 32)}`;

const iso = (at: EpochMs): string => new Date(at).toISOString();

/** A row's changed_at, always later than the one before, so that "newest" has one answer. */
const changedAt = (row: DeliveryRow, now: EpochMs): string => iso(epochMs(Math.max(now, Date.parse(row.changed_at) + 1)));

export type NewRow = {readonly now: EpochMs; readonly createdAt: EpochMs; readonly state: 'due' | 'disabled'};

export function newRow(message: NewDelivery, {now, createdAt, state}: NewRow): DeliveryRow {
  return {
    delivery_id: message.deliveryId,
    channel: message.channel,
    subject: message.subject,
    body: message.body,
    content_type: message.contentType,
    state,
    attempt: 0,
    created_at: iso(createdAt),
    next_attempt_at: state === 'due' ? iso(now) : null,
    changed_at: iso(now),
    last_status: null,
    last_error: state === 'due' ? '' : 'the channel is disabled',
    duration_ms: null,
  };
}

export type AttemptContext = {
  readonly now: EpochMs;
  /** A uniform number in [0, 1). */
  readonly random: number;
  /** Since when the channel has only failed, this attempt included. */
  readonly failingSince: EpochMs;
};

/** The row after an attempt. */
export function afterAttempt(row: DeliveryRow, result: DeliveryResult, {now, random, failingSince}: AttemptContext): DeliveryRow {
  const attempt = row.attempt + 1;
  const common = {...row, attempt, changed_at: changedAt(row, now), last_status: result.status, duration_ms: Math.round(result.durationMs)};
  if (result.outcome === 'delivered') return {...common, state: 'delivered', next_attempt_at: null, last_error: ''};
  const ended = {...common, next_attempt_at: null, last_error: result.error};
  if (result.outcome === 'gone') return {...ended, state: 'disabled'};
  if (now - failingSince >= NOTIFY_LIMITS.disableAfterMs) {
    return {...ended, state: 'disabled', last_error: `${result.error}; nothing but failures since ${iso(failingSince)}`};
  }
  const wait = nextWaitMs(attempt, result, random);
  if (wait === null) return {...ended, state: 'failed'};
  return {...ended, state: 'due', next_attempt_at: iso(epochMs(now + Math.round(wait)))};
}

/** The wait before the next attempt: the schedule's, or the receiver's when it asks for more; null when it is used up. */
function nextWaitMs(attempts: number, result: Extract<DeliveryResult, {outcome: 'failed'}>, random: number): number | null {
  const scheduled = RETRY_SCHEDULE_MS[attempts];
  if (scheduled === undefined) return null;
  const jittered = scheduled * (1 + RETRY_JITTER * (2 * random - 1));
  // Never before the time the receiver named: jitter only adds to it.
  const asked = (result.retryAfterMs ?? (result.isSlowDown ? NOTIFY_LIMITS.slowDownMs : 0)) * (1 + RETRY_JITTER * random);
  return Math.max(jittered, asked);
}

/** Back to `due`, now: asked for by a person, or because its channel works again. */
export const dueAgain = (row: DeliveryRow, now: EpochMs): DeliveryRow => ({
  ...row,
  state: 'due',
  next_attempt_at: iso(now),
  changed_at: changedAt(row, now),
});

/** Held back because its channel was disabled. Kept, and sent once the channel works again. */
export const disabledRow = (row: DeliveryRow, now: EpochMs): DeliveryRow => ({
  ...row,
  state: 'disabled',
  next_attempt_at: null,
  changed_at: changedAt(row, now),
  last_error: row.last_error === '' ? 'the channel is disabled' : row.last_error,
});

/** When a due row may be attempted; null for other states. */
export const dueAt = (row: DeliveryRow): EpochMs | null =>
  row.state === 'due' && row.next_attempt_at !== null ? epochMs(Date.parse(row.next_attempt_at)) : null;
