import {randomBytes} from 'node:crypto';
import type {Clock} from '../core/clock.ts';
import type {Rng} from '../core/rng.ts';
import {epochMs} from '../core/units.ts';

/** The only place that asks the operating system for the time. */
export const SYSTEM_CLOCK: Clock = {
  now: () => epochMs(Date.now()),
  sleep: (ms, signal) =>
    new Promise(resolve => {
      if (signal?.aborted === true) return resolve();
      const onAbort = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, {once: true});
    }),
};

export const SYSTEM_RNG: Rng = {
  next: () => Math.random(),
  bytes: length => randomBytes(length),
};
