import type {Clock} from '../../core/clock.ts';

/**
 * Lets a loop sleep until something happens, without polling and without a lost
 * wake-up: the loop takes `version` before it looks for work and waits only if
 * nothing was signalled since.
 */
export class Wakeup {
  #version = 0;
  readonly #sleepers = new Set<() => void>();

  get version(): number {
    return this.#version;
  }

  signal(): void {
    this.#version++;
    for (const wake of this.#sleepers) wake();
    this.#sleepers.clear();
  }

  /** Resolves on the next signal, or at once when `seen` is old. */
  wait(seen: number): Promise<void> {
    if (seen !== this.#version) return Promise.resolve();
    return new Promise(resolve => this.#sleepers.add(resolve));
  }

  /** As {@link wait}, or after `ms` on the injected clock. */
  async waitFor(seen: number, ms: number, clock: Clock): Promise<void> {
    if (seen !== this.#version) return;
    const timer = new AbortController();
    let wake: () => void = () => undefined;
    const woken = new Promise<void>(resolve => {
      wake = resolve;
      this.#sleepers.add(resolve);
    });
    await Promise.race([woken, clock.sleep(ms, timer.signal)]);
    this.#sleepers.delete(wake);
    timer.abort();
  }
}
