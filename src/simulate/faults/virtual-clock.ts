import type {Clock} from '../../core/clock.ts';
import type {Rng} from '../../core/rng.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';

type Sleeper = {readonly at: number; readonly order: number; readonly wake: () => void};

/** Lets every promise that can go on go on. */
const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

/**
 * Time that moves only when everyone sleeps. Sleepers due at the same instant wake
 * in an order drawn from the seed, one at a time, so a seed is one interleaving.
 */
export class VirtualClock implements Clock {
  readonly #rng: Rng;
  #now: EpochMs;
  #sleepers: Sleeper[] = [];

  constructor(start: EpochMs, rng: Rng) {
    this.#now = start;
    this.#rng = rng;
  }

  now(): EpochMs {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise(resolve => {
      const wake = (): void => {
        this.#sleepers = this.#sleepers.filter(other => other !== sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper = {at: this.#now + Math.max(0, Math.ceil(ms)), order: this.#rng.next(), wake};
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', wake, {once: true});
    });
  }

  /** Runs everything until `task` settles. @throws when time passes `end` or nobody will ever wake. */
  async run<T>(task: Promise<T>, end: EpochMs): Promise<T> {
    let isDone = false;
    const done = (): void => {
      isDone = true;
    };
    task.then(done, done);
    for (;;) {
      await settle();
      if (isDone) return task;
      const next = this.#earliest();
      if (next === undefined) throw new Error('the simulation stands still: nobody will ever wake');
      if (next.at > end) throw new Error(`the simulation did not come to an end by ${end}`);
      this.#now = epochMs(Math.max(this.#now, next.at));
      next.wake();
    }
  }

  #earliest(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      const isSooner = first === undefined || sleeper.at < first.at || (sleeper.at === first.at && sleeper.order < first.order);
      if (isSooner) first = sleeper;
    }
    return first;
  }
}
