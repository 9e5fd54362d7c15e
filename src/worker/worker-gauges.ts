import type {EpochMs} from '../core/units.ts';
import type {DecodedBatch} from './decode-batch.ts';
import type {PartitionWork} from './partition-work.ts';
import type {PendingRows} from './pending-rows.ts';
import {WORKER_METRICS} from './worker-metrics.ts';
import type {WorkerOptions} from './worker-options.ts';

const GAUGES_EVERY_MS = 1_000;

export type WorkerState = {
  readonly now: EpochMs;
  readonly works: ReadonlyMap<number, PartitionWork>;
  readonly endOffsets: ReadonlyMap<number, bigint>;
  readonly isHeld: boolean;
  readonly keys: number;
  readonly cachedUnits: number;
  readonly inFlight: Iterable<InFlight>;
};

export type InFlight = {readonly bytes: number; readonly since: EpochMs | undefined};

/** What an operator sees of one worker. Gauges move once a second, counters as things happen. */
export class WorkerGauges {
  readonly #options: Pick<WorkerOptions, 'stream' | 'metrics' | 'logger'>;
  #shownAt = Number.NEGATIVE_INFINITY;
  #heldSince: EpochMs | undefined;

  constructor(options: Pick<WorkerOptions, 'stream' | 'metrics' | 'logger'>) {
    this.#options = options;
  }

  update(state: WorkerState): void {
    this.#countPaused(state);
    if (state.now - this.#shownAt < GAUGES_EVERY_MS) return;
    this.#shownAt = state.now;
    const {metrics, stream} = this.#options;
    let bytes = 0;
    let oldest = state.now;
    for (const flush of state.inFlight) {
      bytes += flush.bytes;
      oldest = flush.since !== undefined && flush.since < oldest ? flush.since : oldest;
    }
    for (const work of state.works.values()) {
      bytes += work.pendingBytes;
      oldest = work.pendingSince !== undefined && work.pendingSince < oldest ? work.pendingSince : oldest;
      const {partition, cursor} = work;
      const lag = (state.endOffsets.get(partition) ?? 0n) - (cursor?.nextOffset ?? work.startOffset);
      metrics.gauge(WORKER_METRICS.lag, Math.max(0, Number(lag)), {stream: stream.name, partition});
    }
    metrics.gauge(WORKER_METRICS.bufferBytes, bytes, {stream: stream.name});
    metrics.gauge(WORKER_METRICS.oldestUnflushedSeconds, (state.now - oldest) / 1000, {stream: stream.name});
    metrics.gauge(WORKER_METRICS.provisionalKeys, state.keys, {stream: stream.name});
    metrics.gauge(WORKER_METRICS.cachedUnits, state.cachedUnits, {stream: stream.name});
  }

  /** What a flush takes over, by kind. */
  countRows(rows: PendingRows): void {
    const {metrics, stream} = this.#options;
    for (const kind of ['exposure', 'outcome', 'tick'] as const) {
      const by = rows.countOf(kind);
      if (by > 0) metrics.count(WORKER_METRICS.records, by, {stream: stream.name, kind});
    }
    const {deadLetters} = rows;
    if (deadLetters.length > 0) metrics.count(WORKER_METRICS.records, deadLetters.length, {stream: stream.name, kind: 'dead_letter'});
    for (const {code} of deadLetters) metrics.count(WORKER_METRICS.deadLetters, 1, {stream: stream.name, code});
  }

  countBatch(partition: number, {gapOffsets, redelivered}: DecodedBatch): void {
    const {metrics, stream, logger} = this.#options;
    if (redelivered > 0) metrics.count(WORKER_METRICS.redelivered, redelivered, {stream: stream.name});
    if (gapOffsets > 0n) {
      metrics.count(WORKER_METRICS.gaps, Number(gapOffsets), {stream: stream.name, partition});
      logger.warn('offsets skipped by the log', {stream: stream.name, partition, offsets: Number(gapOffsets)});
    }
  }

  #countPaused({isHeld, now}: WorkerState): void {
    const {metrics, stream} = this.#options;
    if (this.#heldSince !== undefined && now > this.#heldSince) {
      metrics.count(WORKER_METRICS.pausedSeconds, (now - this.#heldSince) / 1000, {stream: stream.name});
    }
    this.#heldSince = isHeld ? now : undefined;
  }
}
