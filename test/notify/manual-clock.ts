import type {Clock} from '../../src/core/clock.ts';
import {epochMs, type EpochMs} from '../../src/core/units.ts';

/** Time that only moves when told; sleepers wake in order of their time. */
export class ManualClock implements Clock {
  #now: EpochMs;
  #sleepers: {readonly at: number; readonly wake: () => void}[] = [];

  constructor(now: number | string = '2026-11-21T08:00:00.000Z') {
    this.#now = epochMs(typeof now === 'number' ? now : Date.parse(now));
  }

  now(): EpochMs {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      if (signal?.aborted === true) return resolve();
      const drop = (): void => {
        this.#sleepers = this.#sleepers.filter(other => other !== sleeper);
        resolve();
      };
      const wake = (): void => {
        signal?.removeEventListener('abort', drop);
        resolve();
      };
      const sleeper = {at: this.#now + ms, wake};
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', drop, {once: true});
    });
  }

  /** Jumps without waking anybody in between. */
  set(now: number): void {
    this.#now = epochMs(now);
    this.#wakeDue();
  }

  /** Moves on by `ms`, stopping at every sleeper's time to let it work. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = Math.min(...this.#sleepers.map(sleeper => sleeper.at));
      if (next > end) break;
      this.#now = epochMs(Math.max(this.#now, next));
      this.#wakeDue();
    }
    this.#now = epochMs(end);
    await settle();
  }

  #wakeDue(): void {
    const due = this.#sleepers.filter(sleeper => sleeper.at <= this.#now);
    this.#sleepers = this.#sleepers.filter(sleeper => sleeper.at > this.#now);
    for (const sleeper of due) sleeper.wake();
  }
}

/** Lets everything that waits for promises alone come to rest. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(resolve => setImmediate(resolve));
}

/** The machine's clock, for what waits on real sockets. */
export const REAL_CLOCK: Clock = {
  now: () => epochMs(Date.now()),
  sleep: (ms, signal) =>
    new Promise(resolve => {
      if (signal?.aborted === true) return resolve();
      const stop = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, ms);
      signal?.addEventListener('abort', stop, {once: true});
    }),
};
