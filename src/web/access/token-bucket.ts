/**
 * Requests of one caller: `perSecond` on average, `burst` at once.
 *
 *     tokens ┤▇▇▇▇▇        ▂▃▄▅▆▇▇   each request takes one,
 *            └──────────────────────  perSecond flow in, up to burst
 */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, now: number, burst = Math.max(1, perSecond * BURST_SECONDS)) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = this.#burst;
    this.#at = now;
  }

  /** @returns 0 when the request may pass, otherwise the seconds to wait. */
  take(now: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - this.#tokens) / this.#perSecond));
  }
}

/** A page of the dashboard asks for a handful of things at once; two seconds' worth covers it. */
const BURST_SECONDS = 2;
