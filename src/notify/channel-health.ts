import {epochMs, type EpochMs} from '../core/units.ts';
import type {DeliveryRow} from '../warehouse/warehouse.ts';
import type {DeliveryResult} from './channel.ts';
import {NOTIFY_LIMITS, RETRY_SCHEDULE_MS} from './limits.ts';

const SCHEDULE_MS = RETRY_SCHEDULE_MS.reduce((sum, wait) => sum + wait, 0);

type Health = {failingSince: EpochMs | null; holdUntil: EpochMs; isDisabled: boolean};

/**
 * How each channel has done lately, in memory: one entry per configured channel.
 *
 * After a restart it is rebuilt from the rows that wait: a channel with a `disabled` row
 * is disabled, one with failed attempts has failed since the oldest of those rows. That
 * reaches back at most one schedule (75 h), so a restart can delay disabling and never
 * brings it forward past a success it did not see by more than that. A hold is forgotten.
 */
export class ChannelHealth {
  readonly #byChannel = new Map<string, Health>();

  constructor(channels: readonly string[]) {
    for (const channel of channels) this.#byChannel.set(channel, {failingSince: null, holdUntil: epochMs(0), isDisabled: false});
  }

  restore(waiting: readonly DeliveryRow[]): void {
    for (const row of waiting) {
      const health = this.#byChannel.get(row.channel);
      if (health === undefined) continue;
      if (row.state === 'disabled') health.isDisabled = true;
      if (row.attempt === 0) continue;
      // A redelivered row may be old; its attempts began at most one schedule before its last change.
      const since = epochMs(Math.max(Date.parse(row.created_at), Date.parse(row.changed_at) - SCHEDULE_MS));
      if (health.failingSince === null || since < health.failingSince) health.failingSince = since;
    }
  }

  failingSince(channel: string, now: EpochMs): EpochMs {
    return this.#byChannel.get(channel)?.failingSince ?? now;
  }

  holdUntil(channel: string): EpochMs {
    return this.#byChannel.get(channel)?.holdUntil ?? epochMs(0);
  }

  /** No post before this time. */
  rest(channel: string, until: EpochMs): void {
    const health = this.#byChannel.get(channel);
    if (health !== undefined) health.holdUntil = epochMs(Math.max(health.holdUntil, until));
  }

  isDisabled(channel: string): boolean {
    return this.#byChannel.get(channel)?.isDisabled ?? false;
  }

  setDisabled(channel: string, isDisabled: boolean): void {
    const health = this.#byChannel.get(channel);
    if (health !== undefined) health.isDisabled = isDisabled;
  }

  /** A success ends the streak; 429, 502 and 504 give the whole channel a rest. */
  record(channel: string, result: DeliveryResult, now: EpochMs): void {
    const health = this.#byChannel.get(channel);
    if (health === undefined) return;
    if (result.outcome === 'delivered') {
      health.failingSince = null;
      return;
    }
    health.failingSince ??= now;
    if (result.outcome === 'failed' && result.isSlowDown) {
      const rest = result.retryAfterMs ?? NOTIFY_LIMITS.slowDownMs;
      this.rest(channel, epochMs(now + Math.round(rest)));
    }
  }
}
