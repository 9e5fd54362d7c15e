import {AssayError, messageOf} from '../core/errors.ts';
import {LIMITS} from '../core/limits.ts';
import {workerGroup} from '../core/streams.ts';
import type {ConsumerEvent, LogConsumer} from '../log/event-log.ts';
import {Attributors} from './attribution.ts';
import {retryForever} from './backoff.ts';
import {decodeBatch, decodeUnreadable} from './decode-batch.ts';
import {ExposureCache} from './exposure-cache.ts';
import {finishFlush, type FlushContext, isCommitDue, type StoredFlush, storeFlush} from './flush.ts';
import {Forgotten} from './forgotten.ts';
import {PartitionWork, type RecordsEvent} from './partition-work.ts';
import {PauseGate} from './pause-gate.ts';
import {rebuildProvisional} from './provisional-flush.ts';
import {type KeyBudget, ProvisionalSlices} from './provisional-slices.ts';
import {Ticker} from './ticker.ts';
import {WORKER_LIMITS} from './worker-limits.ts';
import {type InFlight, WorkerGauges} from './worker-gauges.ts';
import {WORKER_METRICS} from './worker-metrics.ts';
import type {WorkerEnd, WorkerOptions} from './worker-options.ts';

/**
 * Reads one stream's topic as a member of its group until the signal, a dead
 * consumer or a fatal error ends it: decode → check → join → slice → flush → commit.
 */
export async function runWorker(options: WorkerOptions): Promise<WorkerEnd> {
  const {log, stream, logger} = options;
  try {
    const consumer = await log.openConsumer({
      topic: stream.topic,
      group: workerGroup(stream.name),
      batchRecordsMax: LIMITS.consumerBatchRecordsMax,
      bufferBytesMax: LIMITS.inFlightBytesMax,
    });
    return await new Worker(options, consumer).run();
  } catch (error) {
    // A stream's record may be here before its topic is (everywhere).
    const isFatal = error instanceof AssayError && error.kind !== 'retry' && error.code !== 'ASSAY_LOG_TOPIC_MISSING';
    logger[isFatal ? 'error' : 'warn']('worker ended', {stream: stream.name, error: messageOf(error)});
    return {reason: isFatal ? 'fatal' : 'rebuild', error};
  }
}

/**
 * One loop, and beside it flushes in two halves, one of each at a time:
 *
 *     reading   │ 3 │ 3 │ 4 │ …       the next buffer fills
 *     storing   │ 2 │ 2 │ 3 │ …       facts become durable
 *     finishing │   │ 1 │ 2 │ …       open slices are shown, offsets move
 *
 * When the buffer is full, or the sink refuses, all partitions are paused.
 * Rows in memory: at most three insert buffers and what the consumer had in hand.
 */
class Worker {
  readonly #options: WorkerOptions;
  readonly #consumer: LogConsumer;
  readonly #gate: PauseGate;
  readonly #ticker: Ticker;
  readonly #gauges: WorkerGauges;
  readonly #forgotten: Forgotten;
  readonly #cache = new ExposureCache(LIMITS.exposureCacheUnitsMax);
  readonly #attributors = new Attributors();
  readonly #keyBudget: KeyBudget = {keysMax: LIMITS.provisionalKeysMax, keys: 0};
  /** Ends every wait for the warehouse and the log. */
  readonly #giveUp = new AbortController();
  readonly #works = new Map<number, PartitionWork>();
  #next: Promise<{readonly event: ConsumerEvent | undefined}> | undefined;
  #storing: Promise<void> | undefined;
  #finishing: Promise<void> | undefined;
  #failure: {readonly error: unknown} | undefined;
  /** What the flushes under way hold: still in memory. */
  readonly #inFlight = new Set<InFlight>();
  /** Halves that try again. */
  readonly #refused = new Set<FlushHalf>();
  #fencedCommits = 0;
  #lastFlushAt: number;
  #lastEventAt: number;
  #turnStartedAt: number;

  constructor(options: WorkerOptions, consumer: LogConsumer) {
    this.#options = options;
    this.#consumer = consumer;
    this.#gate = new PauseGate(consumer);
    this.#ticker = new Ticker(options);
    this.#gauges = new WorkerGauges(options);
    this.#forgotten = new Forgotten({...options, stream: options.stream.name});
    const now = options.clock.now();
    this.#lastFlushAt = now;
    this.#lastEventAt = now;
    this.#turnStartedAt = now;
  }

  async run(): Promise<WorkerEnd> {
    const {signal} = this.#options;
    try {
      while (!signal.aborted) await this.#turn();
      await this.#drain();
      return {reason: 'stopped'};
    } finally {
      this.#giveUp.abort();
      for (const work of this.#works.values()) work.revoke();
      await this.#leave();
    }
  }

  /** A consumer that hangs must not keep its worker from being rebuilt. */
  async #leave(): Promise<void> {
    const {clock, logger, stream} = this.#options;
    const isClosed = new AbortController();
    const closing = this.#consumer.close().catch((error: unknown) => {
      logger.warn('consumer not closed', {stream: stream.name, error: messageOf(error)});
    });
    await Promise.race([closing, clock.sleep(LIMITS.shutdownDrainMsMax, isClosed.signal)]);
    isClosed.abort();
  }

  async #turn(): Promise<void> {
    const event = await this.#nextEvent();
    if (this.#failure !== undefined) throw this.#failure.error;
    const now = this.#options.clock.now();
    if (event !== undefined) {
      this.#lastEventAt = now;
      if (event.type === 'batch') await this.#options.codec.prepare?.(event.records.map(({value}) => value));
      this.#handle(event);
    }
    if (this.#isFlushDue(now)) this.#startFlush();
    const isHeld = this.#refused.size > 0 || this.#isBufferFull();
    this.#gate.set(this.#works.keys(), partition => isHeld || this.#works.get(partition)?.cursor === undefined);
    const endOffsets = this.#consumer.endOffsets();
    this.#ticker.tickIdle(this.#works.values(), endOffsets, now);
    const {keys} = this.#keyBudget;
    this.#gauges.update({now, works: this.#works, endOffsets, isHeld, keys, cachedUnits: this.#cache.units, inFlight: this.#inFlight});
    if (isHeld) this.#lastEventAt = now;
    else this.#checkStall(endOffsets, now);
    await this.#yieldTurn(event === undefined);
  }

  /** The next event, or undefined when the time is up or a flush ended: the loop then looks around. */
  async #nextEvent(): Promise<ConsumerEvent | undefined> {
    if (this.#next === undefined) {
      this.#next = this.#consumer.next(this.#waitMs()).then(event => ({event}));
      this.#next.catch(() => undefined);
    }
    const first = await (this.#storing === undefined ? this.#next : Promise.race([this.#next, this.#storing]));
    if (first === undefined) return undefined;
    this.#next = undefined;
    return first.event;
  }

  #handle(event: ConsumerEvent): void {
    switch (event.type) {
      case 'assigned':
        this.#assign(event);
        break;
      case 'revoked':
        this.#revoke(event.partitions);
        break;
      default: {
        const work = this.#works.get(event.partition);
        if (work === undefined) return;
        if (work.cursor === undefined) work.stash.push(copyOf(event));
        else this.#take(work, event);
      }
    }
  }

  #assign(event: Extract<ConsumerEvent, {type: 'assigned'}>): void {
    const {stream, codec, hasher, clock, logger} = this.#options;
    this.#revoke(event.partitions.map(({partition}) => partition));
    for (const start of event.partitions) {
      const work = new PartitionWork(
        {...start, logEpoch: event.logEpoch},
        {stream, codec, hasher, keyBudget: this.#keyBudget, now: clock.now(), shareOf: event.partitions.length},
      );
      this.#works.set(start.partition, work);
      this.#inBackground(this.#seed(work));
    }
    logger.info('partitions assigned', {stream: stream.name, partitions: event.partitions.map(p => p.partition)});
  }

  #revoke(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.#works.get(partition)?.revoke();
      if (this.#works.delete(partition)) this.#cache.clear();
    }
    this.#gate.forget(partitions);
    this.#fencedCommits = 0;
  }

  /** Learns where the running maximum of arrivals stands, reads what waited, then rebuilds open slices. */
  async #seed(work: PartitionWork): Promise<void> {
    const {stream, warehouse} = this.#options;
    const below = {stream: stream.name, logEpoch: work.logEpoch, partition: work.partition, belowOffset: work.startOffset};
    const arrivalHigh = await this.#retried(async () => (work.isRevoked ? null : warehouse.arrivalHigh(below)));
    if (work.isRevoked) return;
    work.start(arrivalHigh);
    for (const event of work.stash.splice(0)) this.#take(work, event);
    if (arrivalHigh !== null) {
      await this.#retried(async () => {
        if (work.isRevoked) return;
        const aside = new ProvisionalSlices(stream.sliceMs, this.#keyBudget);
        try {
          await rebuildProvisional(work, aside, {...this.#options, arrivalHigh});
          if (!work.isRevoked) work.slices.absorb(aside);
        } finally {
          aside.clear();
        }
      });
    }
    work.isRebuilt = true;
  }

  #take(work: PartitionWork, event: RecordsEvent): void {
    const {codec, hasher, stream, clock} = this.#options;
    if (work.cursor === undefined) return;
    const context = {codec, hasher, maxAgeMs: stream.maxAgeMs};
    const batch = work.take((start, rows) => {
      return event.type === 'batch' ? decodeBatch(start, event.records, {...context, rows}) : decodeUnreadable(start, event, rows);
    }, clock.now());
    this.#gauges.countBatch(work.partition, batch);
  }

  #isBufferFull(): boolean {
    let rows = 0;
    let bytes = 0;
    for (const work of this.#works.values()) {
      rows += work.pendingRows;
      bytes += work.pendingBytes;
    }
    return rows >= LIMITS.insertBufferRowsMax || bytes >= LIMITS.insertBufferBytesMax;
  }

  #isFlushDue(now: number): boolean {
    if (this.#storing !== undefined) return false;
    if (this.#isBufferFull()) return true;
    const isCommitOverdue = this.#finishing === undefined && now - this.#lastFlushAt >= LIMITS.insertBufferAgeMsMax;
    for (const work of this.#works.values()) {
      if (now - (work.pendingSince ?? now) >= LIMITS.insertBufferAgeMsMax) return true;
      if (isCommitOverdue && isCommitDue(work)) return true;
    }
    return false;
  }

  #startFlush(): void {
    const works = [...this.#works.values()];
    const held = inFlightOf(works);
    this.#inFlight.add(held);
    const parts = works.flatMap(work => work.takePending() ?? []);
    for (const {rows} of parts) this.#gauges.countRows(rows);
    this.#storing = storeFlush(parts, this.#flushContext('storing', works))
      .then(async stored => {
        await this.#finishing;
        // The loop ends after a failure; what is stored and not committed is read again.
        if (this.#failure === undefined) this.#finishing = this.#finish(stored, held, works);
      })
      .catch((error: unknown) => {
        this.#failure ??= {error};
      })
      .finally(() => {
        this.#storing = undefined;
        this.#refused.delete('storing');
        this.#lastFlushAt = this.#options.clock.now();
      });
  }

  async #finish(stored: StoredFlush, held: InFlight, works: readonly PartitionWork[]): Promise<void> {
    try {
      this.#countFenced(await finishFlush(stored, this.#flushContext('finishing', works)));
      for (const {work, rows} of stored.parts) work.recycle(rows);
    } catch (error) {
      this.#failure ??= {error};
    } finally {
      this.#finishing = undefined;
      this.#inFlight.delete(held);
      this.#refused.delete('finishing');
    }
  }

  #flushContext(half: FlushHalf, works: readonly PartitionWork[]): FlushContext {
    return {
      ...this.#options,
      cache: this.#cache,
      attributors: this.#attributors,
      consumer: this.#consumer,
      forgotten: this.#forgotten,
      retrySignal: this.#giveUp.signal,
      works: () => works,
      onRetry: () => void this.#refused.add(half),
    };
  }

  /** A commit may be refused because a rebalance is on its way; when none comes, the consumer is dead. */
  #countFenced(outcome: 'committed' | 'fenced'): void {
    this.#fencedCommits = outcome === 'committed' ? 0 : this.#fencedCommits + 1;
    if (this.#fencedCommits >= WORKER_LIMITS.fencedCommitsMax) {
      throw new AssayError('ASSAY_LOG_FENCED', `${this.#fencedCommits} commits in a row were refused`);
    }
  }

  #checkStall(endOffsets: ReadonlyMap<number, bigint>, now: number): void {
    if (now - this.#lastEventAt < WORKER_LIMITS.stallMsMax) return;
    for (const {cursor, partition} of this.#works.values()) {
      if (cursor !== undefined && (endOffsets.get(partition) ?? 0n) > cursor.nextOffset) {
        throw new AssayError('ASSAY_LOG_UNAVAILABLE', `records wait in partition ${partition} and none arrives`);
      }
    }
  }

  /** Decoding batch after batch never leaves the microtask queue; other work must get a turn. */
  async #yieldTurn(wasIdle: boolean): Promise<void> {
    const {clock} = this.#options;
    if (!wasIdle && clock.now() - this.#turnStartedAt < WORKER_LIMITS.turnMsMax) return;
    if (!wasIdle) await clock.sleep(0);
    this.#turnStartedAt = clock.now();
  }

  /** Until a flush is due by age, at most the polling time. */
  #waitMs(): number {
    const now = this.#options.clock.now();
    let waitMs: number = WORKER_LIMITS.pollMsMax;
    if (this.#storing !== undefined) return waitMs;
    for (const {pendingSince} of this.#works.values()) {
      if (pendingSince !== undefined) waitMs = Math.min(waitMs, pendingSince + LIMITS.insertBufferAgeMsMax - now);
    }
    return Math.max(1, waitMs);
  }

  /** Final flush and commit, for as long as a stopping process may take. What is left is read again. */
  async #drain(): Promise<void> {
    const {clock, logger, stream} = this.#options;
    const isDrained = new AbortController();
    const timeUp = clock.sleep(LIMITS.shutdownDrainMsMax, isDrained.signal);
    const drained = (async () => {
      await this.#storing;
      if (this.#failure !== undefined) return;
      this.#startFlush();
      await this.#storing;
      await this.#finishing;
    })();
    await Promise.race([drained, timeUp]);
    isDrained.abort();
    if (this.#failure !== undefined || this.#storing !== undefined || this.#finishing !== undefined) {
      logger.warn('drain incomplete', {stream: stream.name, error: messageOf(this.#failure?.error ?? 'time is up')});
    }
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.#giveUp.signal.aborted) this.#failure ??= {error};
    });
  }

  #retried<T>(work: () => Promise<T>): Promise<T> {
    const {clock, rng, logger, stream, metrics} = this.#options;
    return retryForever(work, {
      clock,
      rng,
      signal: this.#giveUp.signal,
      onRetry: (error, attempt) => {
        metrics.count(WORKER_METRICS.flushRetries, 1, {stream: stream.name, step: 'seed'});
        logger.warn('seeding delayed', {stream: stream.name, attempt, error: error.message});
      },
    });
  }
}

type FlushHalf = 'storing' | 'finishing';

function inFlightOf(works: readonly PartitionWork[]): InFlight {
  let bytes = 0;
  let since: InFlight['since'];
  for (const {pendingBytes, pendingSince} of works) {
    bytes += pendingBytes;
    if (pendingSince !== undefined && (since === undefined || pendingSince < since)) since = pendingSince;
  }
  return {bytes, since};
}

/** Values live only until the next event is asked for. */
function copyOf(event: RecordsEvent): RecordsEvent {
  if (event.type === 'unreadable') return event;
  return {...event, records: event.records.map(({partition, offset, timestamp, key, value, headers}) => {
    return {partition, offset, timestamp, key, headers, value: value.slice()};
  })};
}
