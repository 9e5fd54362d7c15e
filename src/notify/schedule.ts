import {Cron} from 'croner';
import type {Clock} from '../core/clock.ts';
import {AssayError, messageOf} from '../core/errors.ts';
import {type Logger, SILENT_LOGGER} from '../core/telemetry.ts';
import {epochMs, type EpochMs} from '../core/units.ts';
import type {OutboxStore} from '../warehouse/warehouse.ts';

/** A cron pattern, in a time zone (UTC unless given). Pure: `now` always comes from the caller. */
export class CronTimes {
  readonly #cron: Cron;

  /** @throws AssayError `ASSAY_CONFIG_INVALID` for a pattern or time zone that means nothing. */
  constructor(pattern: string, timezone = 'UTC') {
    try {
      this.#cron = new Cron(pattern, {timezone, paused: true});
      this.#cron.nextRun(new Date(0));
    } catch (error) {
      throw new AssayError('ASSAY_CONFIG_INVALID', `cron "${pattern}" (${timezone}): ${messageOf(error)}`, {cause: error});
    }
  }

  /** The first time strictly after `from`; null when there is none. */
  nextAfter(from: EpochMs): EpochMs | null {
    const next = this.#cron.nextRun(new Date(from));
    return next === null ? null : epochMs(next.getTime());
  }

  /** The last time at or before `at`; null when there is none. */
  lastUntil(at: EpochMs): EpochMs | null {
    // croner leaves out a run in the reference's own second, so ask from the next one.
    const found = this.#cron.previousRuns(2, new Date(at + 1_000)).find(run => run.getTime() <= at);
    return found === undefined ? null : epochMs(found.getTime());
  }
}

export type DigestSchedule = {
  readonly times: CronTimes;
  /** Publishes the digest of a scheduled time; the same time again must add nothing. */
  readonly publish: (scheduledAt: EpochMs) => Promise<unknown>;
  readonly store: Pick<OutboxStore, 'deliveries'>;
  readonly clock: Clock;
  readonly logger?: Logger;
};

/** No timer runs longer: a suspended machine wakes late by at most this. */
const NAP_MS_MAX = 60_000;
const RETRY_MS = 10_000;

/**
 * Publishes at every time of the pattern until the signal aborts. Times that passed while
 * no process ran are caught up once, with the last of them.
 */
export async function runDigestSchedule(schedule: DigestSchedule, signal: AbortSignal): Promise<void> {
  const {times, clock} = schedule;
  const missed = await missedRun(schedule, clock.now());
  if (missed !== null) await publishUntilDone(schedule, missed, signal);
  while (!signal.aborted) {
    const next = times.nextAfter(clock.now());
    if (next === null) return;
    while (!signal.aborted && clock.now() < next) await clock.sleep(Math.min(NAP_MS_MAX, next - clock.now()), signal);
    if (!signal.aborted) await publishUntilDone(schedule, times.lastUntil(clock.now()) ?? next, signal);
  }
}

/**
 * The last time before `now`, if the outbox already existed then. Whether it was published
 * is known by the delivery's id, so the answer may be a time that was: publishing it again
 * adds nothing. An outbox without a row is new: nothing was missed.
 */
export async function missedRun({times, store}: Pick<DigestSchedule, 'times' | 'store'>, now: EpochMs): Promise<EpochMs | null> {
  const last = times.lastUntil(now);
  if (last === null) return null;
  const [oldest] = await store.deliveries({states: [], limit: 1});
  return oldest !== undefined && Date.parse(oldest.created_at) <= last ? last : null;
}

/** A store that is away must not cost a digest. */
async function publishUntilDone({publish, clock, logger = SILENT_LOGGER}: DigestSchedule, at: EpochMs, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await publish(at);
      return;
    } catch (error) {
      if (!(error instanceof AssayError) || error.kind !== 'retry') throw error;
      logger.warn('digest not published yet', {scheduledAt: at, code: error.code, error: messageOf(error)});
      await clock.sleep(RETRY_MS, signal);
    }
  }
}
