import {messageOf} from '../core/errors.ts';
import type {Logger} from '../core/telemetry.ts';
import type {SdkLimits} from './limits.ts';
import type {SpendLedger, Urgency} from './spend-ledger.ts';
import type {SpendSource} from './spend-source.ts';

export type SpendFollowerOptions = {
  readonly ledger: SpendLedger;
  readonly source: SpendSource;
  readonly logger: Logger;
  readonly limits: Pick<SdkLimits, 'spendAskMs' | 'spendAskNearMs' | 'spendAskNewMs'>;
};

/**
 * Keeps a ledger up to what all processes have spent: asks for the keys that are in use, soon for one it knows nothing of,
 * often for one that is near its limit.
 * While the platform is away the last sums stay, with what this process spends on top of them.
 */
export class SpendFollower {
  readonly #options: SpendFollowerOptions;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #asking = false;
  #failures = 0;

  constructor(options: SpendFollowerOptions) {
    this.#options = options;
    const {spendAskNewMs: unknown, spendAskNearMs: near, spendAskMs: far} = options.limits;
    const waits: Readonly<Record<Urgency, number>> = {unknown, near, far};
    options.ledger.follow(urgency => this.#askIn(this.#failures === 0 ? waits[urgency] : far));
  }

  close(): void {
    this.#abort.abort();
    clearTimeout(this.#timer);
  }

  #askIn(ms: number): void {
    const dueAt = performance.now() + ms;
    if (this.#abort.signal.aborted || this.#asking || dueAt >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => void this.#ask(), ms);
    // A budget is no reason to keep a process alive.
    this.#timer.unref();
  }

  async #ask(): Promise<void> {
    const {ledger, source, logger, limits} = this.#options;
    const asks = ledger.wanted();
    this.#asking = true;
    try {
      if (asks.length > 0) ledger.learn(asks, await source.ask(asks, this.#abort.signal));
      this.#failures = 0;
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.#failures += 1;
      if (this.#failures === 1) logger.warn('spending of other processes not read; the last known stays', {error: messageOf(error)});
      ledger.wantAgain(asks);
    } finally {
      this.#asking = false;
      this.#dueAt = Number.POSITIVE_INFINITY;
      if (ledger.isWanting) this.#askIn(limits.spendAskMs);
    }
  }
}
