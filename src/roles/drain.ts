import {AssayError, messageOf} from '../core/errors.ts';
import {type Stream, workerGroup} from '../core/streams.ts';
import type {Platform} from './platform.ts';
import type {Workers} from './workers.ts';

const POLL_MS = 50;

/**
 * Resolves once a group of workers has committed everything that lies in the stream's topic now.
 * @throws AssayError when the workers gave up, or the signal aborted.
 */
export async function awaitDrained(
  {log, clock}: Platform,
  request: {readonly stream: Stream; readonly signal: AbortSignal; readonly workers: Workers | null; readonly onProgress?: (share: number) => void},
): Promise<void> {
  const {stream, signal, workers, onProgress} = request;
  const ends = await log.offsets(stream.topic);
  const total = ends.reduce((sum, {start, end}) => sum + Number(end - start), 0);
  const failed = failureOf(workers);
  for (;;) {
    const committed = await log.committed(stream.topic, workerGroup(stream.name));
    const left = ends.reduce((sum, {partition, start, end}) => {
      const at = committed[partition] ?? start;
      return sum + (at < end ? Number(end - at) : 0);
    }, 0);
    onProgress?.(total === 0 ? 1 : (total - left) / total);
    if (left === 0) return;
    if (signal.aborted) throw new AssayError('ASSAY_USAGE', `stopped before stream ${stream.name} was consumed; run it again to go on`);
    await Promise.race([clock.sleep(POLL_MS, signal), failed]);
  }
}

/** Rejects when the workers end by themselves. */
function failureOf(workers: Workers | null): Promise<never> {
  if (workers === null) return new Promise(() => undefined);
  const failed = workers.ended.then(end => {
    if (end.reason === 'fatal') throw end.error instanceof Error ? end.error : new Error(messageOf(end.error));
    return new Promise<never>(() => undefined);
  });
  // Every waiter races it; none may be left with an unhandled rejection.
  failed.catch(() => undefined);
  return failed;
}
