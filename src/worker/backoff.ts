import type {Clock} from '../core/clock.ts';
import {AssayError} from '../core/errors.ts';
import {LIMITS} from '../core/limits.ts';
import type {Rng} from '../core/rng.ts';

export type RetryOptions = {
  readonly clock: Clock;
  readonly rng: Rng;
  /** Ends the waiting: the last error is thrown. */
  readonly signal: AbortSignal;
  readonly onRetry?: (error: AssayError, attempt: number) => void;
};

/** Doubles from the smallest to the largest wait; jitter in [½, 1) so that many workers do not come back at once. */
export function backoffMs(attempt: number, rng: Rng): number {
  const ceiling = Math.min(LIMITS.retryBackoffMsMax, LIMITS.retryBackoffMsMin * 2 ** Math.min(attempt, 30));
  return ceiling * (0.5 + rng.next() / 2);
}

/** Whether the same work may succeed later. A fenced consumer is rebuilt instead. */
export function isRetryable(error: unknown): error is AssayError {
  return error instanceof AssayError && error.kind === 'retry' && error.code !== 'ASSAY_LOG_FENCED';
}

/** Tries for ever while the error says that the world may recover; throws any other one. */
export async function retryForever<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isRetryable(error) || options.signal.aborted) throw error;
      options.onRetry?.(error, attempt);
      await options.clock.sleep(backoffMs(attempt, options.rng), options.signal);
      if (options.signal.aborted) throw error;
    }
  }
}
