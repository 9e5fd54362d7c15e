import {AssayError} from '../core/errors.ts';
import {type Stream, workerGroup} from '../core/streams.ts';
import {WORKER_LIMITS} from '../worker/worker-limits.ts';
import type {Platform} from './platform.ts';

export type ForgetReport = {
  readonly stream: string;
  /** ISO 8601: what arrived up to here is forgotten; null when nothing ever arrived in the stream. */
  readonly forgotten_through: string | null;
  /** Events of the unit that were erased. */
  readonly events: number;
};

export type ForgetRequest = {
  readonly stream: Stream;
  /** As it is stored. */
  readonly unitId: string;
  /** As the records of the log carry it. */
  readonly logKey: string;
  readonly reason: string;
  readonly signal: AbortSignal;
  /** How long to wait for workers to read what was sent so far. */
  readonly waitMs: number;
};

const POLL_MS = 200;

/**
 * Erases a unit from one stream: what was sent before this call and is in the log. First
 * the workers catch up, so that the tombstone covers it; then they learn of the
 * tombstone; then facts are erased. A call that was cut short is simply repeated.
 */
export async function forgetUnit({log, warehouse, clock}: Pick<Platform, 'log' | 'warehouse' | 'clock'>, request: ForgetRequest): Promise<ForgetReport> {
  const {stream, unitId, logKey, reason, signal} = request;
  await caughtUp({log, clock}, request);
  const tombstone = await retried(() => warehouse.writeTombstone({stream: stream.name, unitId, reason}), {clock, request});
  if (tombstone === null) return {stream: stream.name, forgotten_through: null, events: 0};
  // Erased too early, a later copy of a forgotten event would be the first one for a worker that does not know yet.
  await clock.sleep(2 * WORKER_LIMITS.tombstonesEveryMs, signal);
  await retried(() => warehouse.eraseUnit({stream: stream.name, unitId, logKey, forgottenTs: tombstone.forgottenTs}), {clock, request});
  return {stream: stream.name, forgotten_through: new Date(tombstone.forgottenTs).toISOString(), events: tombstone.events};
}

/** A warehouse that is slow or away for a moment; everything here may be done twice. */
async function retried<T>(work: () => Promise<T>, {clock, request: {signal, waitMs}}: {readonly clock: Platform['clock']; readonly request: ForgetRequest}): Promise<T> {
  const startedAt = clock.now();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isWorthIt = error instanceof AssayError && error.kind === 'retry' && !signal.aborted && clock.now() - startedAt < waitMs;
      if (!isWorthIt) throw error;
      await clock.sleep(POLL_MS, signal);
    }
  }
}

async function caughtUp({log, clock}: Pick<Platform, 'log' | 'clock'>, {stream, signal, waitMs}: ForgetRequest): Promise<void> {
  const ends = (await log.offsets(stream.topic)).filter(({start, end}) => end > start);
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const committed = await log.committed(stream.topic, workerGroup(stream.name));
    const behind = ends.find(({partition, end}) => (committed[partition] ?? 0n) < end);
    if (behind === undefined) return;
    if (waitedMs >= waitMs || signal.aborted) {
      const text = `partition ${behind.partition} of stream ${stream.name} is read up to ${committed[behind.partition] ?? 0n} of ${behind.end}`;
      throw new AssayError('ASSAY_LOG_UNAVAILABLE', `${text}, so events of the unit may lie beyond; is a worker running? Nothing was forgotten; start one and repeat`);
    }
    await clock.sleep(POLL_MS, signal);
  }
}
