import {isSampled} from '../assign/assign.ts';
import type {SdkConfig} from '../assign/sdk-config.ts';

/** Shares of units whose events are sent, from quiet to overloaded. Units of a smaller share are in every larger one. */
const LEVELS = [1, 0.5, 0.1] as const;
/** Queue fullness from which the next smaller share is used; later than the spool, which loses nothing. */
const OVERLOAD = [0.6, 0.85] as const;
/** Below this, for `CALM_MS`, the next larger share is tried again. */
const CALM = 0.1;
const CALM_MS = 30_000;
/** One salt for all: whether a unit's events are sent must not depend on the event. */
const SALT = 'assay';

/**
 * Sends the events of fewer units when the log does not keep up: whole units by
 * their hash, the same ones in every process at the same level and independent of
 * the variant, so means and tests stay unbiased. The rate travels with the event.
 */
export class Sampler {
  #level = 0;
  #calmSince: number | undefined;

  get rate(): number {
    return LEVELS[this.#level] ?? 1;
  }

  /** @param pressure how full the queue is, 0 to 1 */
  adapt(pressure: number, now: number): void {
    const next = OVERLOAD[this.#level];
    if (next !== undefined && pressure >= next) {
      this.#level += 1;
      this.#calmSince = undefined;
    } else if (this.#level === 0 || pressure > CALM) {
      this.#calmSince = undefined;
    } else {
      this.#calmSince ??= now;
      if (now - this.#calmSince < CALM_MS) return;
      this.#level -= 1;
      this.#calmSince = now;
    }
  }
}

/** Whether the events of a unit are sent at this rate. */
export const isUnitSampled = (unitId: string, rate: number): boolean => isSampled(SALT, unitId, rate);

/** An outcome may belong to any experiment, so the largest rate of those that run decides. */
export function outcomeRate({experiments}: SdkConfig): number {
  let rate = 0;
  for (const {definition} of experiments.values()) {
    if (definition.lifecycle === 'running') rate = Math.max(rate, definition.sampleRate);
  }
  return rate === 0 ? 1 : rate;
}
