/** Lets `perSecond` through on average and saves up to `burst` for later. Time comes from the caller. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor({perSecond, burst, now}: {readonly perSecond: number; readonly burst: number; readonly now: number}) {
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Takes the tokens and returns 0, or takes none and returns how many milliseconds to wait for them. */
  take(count: number, now: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
    // More than the bucket ever holds would wait for ever.
    const wanted = Math.min(count, this.#burst);
    if (this.#tokens >= wanted) {
      this.#tokens -= wanted;
      return 0;
    }
    return Math.ceil((wanted - this.#tokens) / this.#perMs);
  }
}
