import type {Clock} from '../core/clock.ts';
import type {Rng} from '../core/rng.ts';
import {messageOf} from '../core/errors.ts';
import type {Logger} from '../core/telemetry.ts';
import type {DiskSpool} from './disk-spool.ts';
import {EventQueue} from './event-queue.ts';
import type {SdkLimits} from './limits.ts';
import {TokenBucket} from './token-bucket.ts';
import {BusyError, type QueuedEvent, type Transport} from './transport.ts';

export type SenderOptions = {
  readonly transport: Transport;
  readonly spool?: DiskSpool;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: Logger;
  readonly limits: SdkLimits;
};

const CLOSE_GRACE_MS = 1_000;

/** Where every event went: offered = sent + refused + dropped + queued + spooled (and under way). */
export type SenderCounts = {
  offered: number;
  sent: number;
  /** The other side will never take them. */
  refused: number;
  /** No room: neither in memory nor on disk. */
  dropped: number;
  spooled: number;
  /** Delivered from the spool; part of `sent`. */
  recovered: number;
  failures: number;
};

/**
 * Takes events without waiting and delivers them in the background: in batches,
 * no faster than allowed, again and again until the transport has them.
 *
 *     offer ─► queue ─► batch ─► transport
 *                │  ▲              │ fails: backoff, same batch again
 *      half full ▼  │ empty        ▼
 *               spool files ──► (oldest first, once the transport answers again)
 */
export class Sender {
  readonly #options: SenderOptions;
  readonly #queue: EventQueue;
  readonly #bucket: TokenBucket;
  readonly #abort = new AbortController();
  readonly counts: SenderCounts = {offered: 0, sent: 0, refused: 0, dropped: 0, spooled: 0, recovered: 0, failures: 0};
  #underWay: readonly QueuedEvent[] = [];
  #oldestAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #running: Promise<void> | undefined;
  #spilling: Promise<void> | undefined;
  #wake: AbortController | undefined;
  #isFlushing = false;
  #isClosed = false;

  constructor(options: SenderOptions) {
    this.#options = options;
    const {limits, clock} = options;
    this.#queue = new EventQueue(limits.queueEventsMax);
    this.#bucket = new TokenBucket({perSecond: limits.eventsPerSecondMax, burst: limits.burstEventsMax, now: clock.now()});
    if (options.spool?.isEmpty === false) setImmediate(() => this.#start());
  }

  get queued(): number {
    return this.#queue.length + this.#underWay.length;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** How full the queue is, 0 to 1. */
  get pressure(): number {
    return this.#queue.length / this.#queue.max;
  }

  /** Never waits and never throws. False when there was no room. */
  offer(event: QueuedEvent): boolean {
    const {limits, spool, clock} = this.#options;
    this.counts.offered += 1;
    if (this.#isClosed || !this.#queue.push(event)) {
      this.counts.dropped += 1;
      return false;
    }
    const {length} = this.#queue;
    if (length === 1) {
      this.#oldestAt = clock.now();
      this.#startLater(limits.batchAgeMsMax);
    }
    if (length === limits.batchEventsMax) this.#startLater(0);
    if (spool !== undefined && this.#spilling === undefined && length >= this.#spillAt) this.#spillLater(spool);
    return true;
  }

  /** Resolves true once nothing is queued or spooled, false when the time is over first. */
  async flush(timeoutMs: number): Promise<boolean> {
    const {clock} = this.#options;
    const patience = new AbortController();
    this.#isFlushing = true;
    const isOver = clock.sleep(timeoutMs, patience.signal).then(() => false);
    const done = this.#drained().then(() => true);
    const isDone = await Promise.race([done, isOver]);
    this.#isFlushing = false;
    patience.abort();
    return isDone;
  }

  /** Delivers what it can in this time; the rest goes to the spool or is counted as dropped. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#isClosed) return;
    await this.flush(timeoutMs);
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.#wake?.abort();
    await this.#spilling;
    this.spillNow();
    // A log that hangs must not hold up the process: what it did not confirm is in the spool.
    const ended = Promise.allSettled([this.#options.transport.close(), this.#running]);
    await Promise.race([ended, this.#options.clock.sleep(CLOSE_GRACE_MS)]);
  }

  /** Writes everything to the spool at once: for a process that ends without close(). */
  spillNow(): void {
    const {spool, clock, limits} = this.#options;
    const rest = [...this.#underWay, ...this.#queue.take(this.#queue.length)];
    this.#underWay = [];
    for (let from = 0; from < rest.length; from += limits.batchEventsMax) {
      const events = rest.slice(from, from + limits.batchEventsMax);
      const isKept = attempt(() => spool?.writeNow(events, clock.now()) === true);
      this.counts[isKept ? 'spooled' : 'dropped'] += events.length;
    }
  }

  get #spillAt(): number {
    return Math.max(1, Math.floor(this.#options.limits.queueEventsMax * this.#options.limits.spillShare));
  }

  #startLater(ms: number): void {
    if (this.#running !== undefined) return;
    clearTimeout(this.#timer);
    // Not in the caller's turn, also when the batch is due now.
    this.#timer = setTimeout(() => this.#start(), ms);
    this.#timer.unref?.();
  }

  #start(): void {
    if (this.#running !== undefined || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#queue.length > 0 && !this.#isClosed) this.#startLater(this.#dueIn());
    });
  }

  /** Until there is nothing due. */
  async #run(): Promise<void> {
    const {spool} = this.#options;
    while (!this.#isClosed) {
      if (this.#queue.length > 0 && this.#dueIn() === 0) await this.#sendQueued();
      else if (spool !== undefined && !spool.isEmpty) await this.#sendSpooled(spool);
      else return;
    }
  }

  #dueIn(): number {
    const {limits, clock} = this.#options;
    if (this.#isFlushing || this.#queue.length >= limits.batchEventsMax) return 0;
    return Math.max(0, this.#oldestAt + limits.batchAgeMsMax - clock.now());
  }

  async #sendQueued(): Promise<void> {
    const {limits, clock} = this.#options;
    const batch = this.#queue.take(limits.batchEventsMax);
    this.#oldestAt = clock.now();
    this.#underWay = batch;
    // Closed before it was delivered: it stays for close() to spool, which may still be waiting for the disk.
    if (!(await this.#deliver(batch))) return;
    this.#underWay = [];
    await this.#sendOneSpooled();
  }

  /** The transport works: the past takes turns with the present. */
  async #sendOneSpooled(): Promise<void> {
    const {spool} = this.#options;
    if (spool !== undefined && !spool.isEmpty && !this.#isClosed) await this.#sendSpooled(spool);
  }

  async #sendSpooled(spool: DiskSpool): Promise<void> {
    const batch = await spool.read().catch(() => undefined);
    if (batch === undefined) return;
    if (batch.events.length > 0 && !(await this.#deliver(batch.events))) return;
    await spool.remove(batch.file).catch(() => undefined);
    this.counts.recovered += batch.events.length;
    this.counts.dropped += batch.damaged;
  }

  /** Until the transport has it. False when the sender was closed first. */
  async #deliver(batch: readonly QueuedEvent[]): Promise<boolean> {
    const {transport, clock, logger} = this.#options;
    await this.#pace(batch.length);
    while (!this.#isClosed) {
      try {
        const {refused, reason} = await transport.send(batch, this.#abort.signal);
        this.#failures = 0;
        this.counts.sent += batch.length - refused;
        this.counts.refused += refused;
        if (refused > 0) logger.warn('events refused', {refused, reason: reason ?? ''});
        return true;
      } catch (error) {
        if (this.#isClosed) return false;
        this.#failures += 1;
        this.counts.failures += 1;
        if (this.#failures === 1) logger.warn('events not delivered, trying again', {error: messageOf(error), queued: this.queued});
        this.#wake = new AbortController();
        await clock.sleep(this.#backoffMs(error), this.#wake.signal);
      }
    }
    return false;
  }

  async #pace(count: number): Promise<void> {
    const {clock} = this.#options;
    for (;;) {
      const waitMs = this.#bucket.take(count, clock.now());
      if (waitMs === 0 || this.#isClosed) return;
      this.#wake = new AbortController();
      await clock.sleep(waitMs, this.#wake.signal);
    }
  }

  #backoffMs(error: unknown): number {
    const {limits, rng} = this.#options;
    const {retryBackoffMsMin: least, retryBackoffMsMax: most, retryJitterShare: jitter} = limits;
    const backoffMs = Math.min(most, least * 2 ** Math.min(this.#failures - 1, 20));
    const wantedMs = error instanceof BusyError ? Math.max(error.retryAfterMs, backoffMs) : backoffMs;
    return Math.round(wantedMs * (1 + jitter * (2 * rng.next() - 1)));
  }

  #spillLater(spool: DiskSpool): void {
    this.#spilling = new Promise<void>(done => setImmediate(() => done(this.#spill(spool)))).finally(() => {
      this.#spilling = undefined;
    });
  }

  /** Empties the queue into the spool down to one batch. */
  async #spill(spool: DiskSpool): Promise<void> {
    const {limits, clock, logger} = this.#options;
    while (this.#queue.length > limits.batchEventsMax && !this.#isClosed) {
      const events = this.#queue.take(limits.batchEventsMax);
      try {
        if (await spool.write(events, clock.now())) {
          this.counts.spooled += events.length;
          continue;
        }
      } catch (error) {
        logger.warn('spool not written', {error: messageOf(error)});
      }
      this.counts.dropped += events.length;
    }
    this.#startLater(0);
  }

  async #drained(): Promise<void> {
    const {spool} = this.#options;
    while (!this.#isClosed && this.#isFlushing && (this.queued > 0 || spool?.isEmpty === false)) {
      this.#start();
      await this.#running;
      // Whoever ended the run did so between two turns; let its `finally` be first.
      await new Promise(done => setImmediate(done));
    }
  }
}

function attempt(act: () => boolean): boolean {
  try {
    return act();
  } catch {
    return false;
  }
}
