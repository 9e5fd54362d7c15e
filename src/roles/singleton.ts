import {LIMITS} from '../core/limits.ts';
import {messageOf} from '../core/errors.ts';
import {CONTROL_TOPIC} from '../core/streams.ts';
import type {LogConsumer} from '../log/event-log.ts';
import type {Platform} from './platform.ts';

const GROUP = 'assay-jobs';
const POLL_MS = 1_000;

/**
 * Runs `work` in one process of all that call this: in the one that owns the control
 * topic's only partition.
 *
 *     waiting ──assigned──► leading (work runs) ──revoked, fenced──► waiting
 *
 * Two leaders for a moment are harmless: what the jobs write is a function of facts
 * and cuts, and deliveries have stable ids.
 */
export async function runAsSingleton(platform: Platform, signal: AbortSignal, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const {log, clock, logger, metrics} = platform;
  while (!signal.aborted) {
    let consumer: LogConsumer | undefined;
    try {
      consumer = await log.openConsumer({topic: CONTROL_TOPIC, group: GROUP, batchRecordsMax: 1, bufferBytesMax: LIMITS.eventBytesMax});
      await lead(consumer, {signal, work, onLeading: isLeading => metrics.gauge('assay_jobs_leading', isLeading ? 1 : 0)});
    } catch (error) {
      if (signal.aborted) return;
      if (isFatal(error)) throw error;
      logger.warn('jobs lost their lease', {error: messageOf(error)});
      await clock.sleep(POLL_MS, signal);
    } finally {
      await consumer?.close().catch(() => undefined);
    }
  }
}

type Lead = {readonly signal: AbortSignal; readonly work: (signal: AbortSignal) => Promise<void>; readonly onLeading: (isLeading: boolean) => void};

async function lead(consumer: LogConsumer, {signal, work, onLeading}: Lead): Promise<void> {
  let term: {readonly stop: AbortController; readonly done: Promise<void>} | undefined;
  let failure: {readonly error: unknown} | undefined;
  const stepDown = async (): Promise<void> => {
    term?.stop.abort();
    await term?.done;
    term = undefined;
    onLeading(false);
  };
  try {
    while (!signal.aborted && failure === undefined) {
      const event = await consumer.next(POLL_MS);
      if (event?.type === 'assigned' && event.partitions.length > 0 && term === undefined) {
        const stop = new AbortController();
        onLeading(true);
        const done = work(stop.signal).catch((error: unknown) => {
          failure = {error};
        });
        term = {stop, done};
      } else if (event?.type === 'revoked') await stepDown();
    }
  } finally {
    await stepDown();
  }
  if (failure !== undefined) throw failure.error;
}

/** What no new lease would mend. */
function isFatal(error: unknown): boolean {
  const kind = (error as {kind?: string}).kind;
  return kind !== 'retry';
}
