import {messageOf} from '../core/errors.ts';
import {LIMITS} from '../core/limits.ts';
import type {EpochMs} from '../core/units.ts';
import type {PartitionWork} from './partition-work.ts';
import {WORKER_METRICS} from './worker-metrics.ts';
import type {WorkerOptions} from './worker-options.ts';

/**
 * Appends a tick to partitions of the live stream in which nothing happens, so that
 * their arrival time moves on and slices can close (DESIGN C4). Only when everything
 * in the partition was read: a tick behind a backlog would say nothing new. One
 * append at a time: when the log is slow ticks do not pile up.
 */
export class Ticker {
  readonly #options: WorkerOptions;
  #isAppending = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  tickIdle(works: Iterable<PartitionWork>, endOffsets: ReadonlyMap<number, bigint>, now: EpochMs): void {
    if (this.#options.stream.kind !== 'live' || this.#isAppending) return;
    const idle: PartitionWork[] = [];
    for (const work of works) {
      const end = endOffsets.get(work.partition);
      const isCaughtUp = work.cursor !== undefined && end !== undefined && end <= work.cursor.nextOffset;
      if (isCaughtUp && now - work.lastActiveAt >= LIMITS.tickIdleMs) idle.push(work);
    }
    if (idle.length > 0) void this.#append(idle, now);
  }

  async #append(idle: readonly PartitionWork[], now: EpochMs): Promise<void> {
    const {log, stream, codec, owner, metrics, logger} = this.#options;
    this.#isAppending = true;
    for (const work of idle) work.lastActiveAt = now;
    const value = codec.encodeTick({kind: 'tick', sentTs: now, owner});
    try {
      await log.append(stream.topic, idle.map(({partition}) => ({key: null, partition, value})));
      metrics.count(WORKER_METRICS.ticks, idle.length, {stream: stream.name});
    } catch (error) {
      // The next one is due in a moment; reading meets the same trouble and reports it.
      logger.warn('tick delayed', {stream: stream.name, error: messageOf(error)});
    } finally {
      this.#isAppending = false;
    }
  }
}
