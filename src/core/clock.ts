import type {EpochMs} from './units.ts';

/** Time as a port: the pipeline never asks the operating system itself. */
export interface Clock {
  now(): EpochMs;
  /** Resolves after `ms`, or at once when the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
