import {AssayError} from '../core/errors.ts';
import type {ArrivalRows, EncodedFactRows, FactBatch} from '../core/facts.ts';
import {DEAD_LETTERS_TOPIC} from '../core/streams.ts';
import type {EpochMs} from '../core/units.ts';
import type {LogConsumer} from '../log/event-log.ts';
import type {Attributors} from './attribution.ts';
import {retryForever} from './backoff.ts';
import {toDeadLetterRecord} from './dead-letter-topic.ts';
import type {ExposureCache} from './exposure-cache.ts';
import {joined} from './fact-rows.ts';
import type {Forgotten} from './forgotten.ts';
import type {FlushPart, PartitionWork} from './partition-work.ts';
import {showProvisional} from './provisional-flush.ts';
import {WORKER_METRICS} from './worker-metrics.ts';
import type {WorkerOptions} from './worker-options.ts';

export type FlushContext = WorkerOptions & {
  readonly cache: ExposureCache;
  readonly attributors: Attributors;
  readonly consumer: LogConsumer;
  readonly forgotten: Forgotten;
  /** Ends retries, when the worker may wait no longer. */
  readonly retrySignal: AbortSignal;
  /** Every assignment whose offset may have to move; one that was revoked is left alone. */
  readonly works: () => readonly PartitionWork[];
  readonly onRetry: () => void;
};

/** Rows that the warehouse has acknowledged, and what there is left to do about them. */
export type StoredFlush = {
  readonly parts: readonly FlushPart[];
  readonly startedAt: EpochMs;
  readonly rows: number;
  /** Units that came to be forgotten: what is known of their exposures is not any more. */
  readonly forgottenUnits: readonly string[];
};

/**
 * The first half of a flush: makes rows durable. The second moves the offsets, because an offset is
 * the promise that everything below it is in the warehouse: committed ⇒ durable.
 *
 *     killed after …   leaves            a restart
 *     nothing          nothing           reads the same records again
 *     insertFacts      rows, no offset   writes the same rows again, which collapse
 *     commit           both              goes on behind them
 */
export async function storeFlush(parts: readonly FlushPart[], context: FlushContext): Promise<StoredFlush> {
  const {warehouse, log, stream, clock, forgotten} = context;
  const startedAt = clock.now();
  let forgottenUnits: readonly string[] = [];
  const onNew = (units: readonly string[]): void => {
    forgottenUnits = units;
  };
  await retried('tombstones', () => forgotten.refresh(clock.now(), onNew), context);
  const batch = forgotten.withoutForgotten(toFactBatch(stream.name, parts));
  if (batch.arrivals.length > 0) {
    // A topic made again gives its offsets to other records: rows must not be stored under the old ones' names.
    for (const logEpoch of new Set(parts.map(({cursor}) => cursor.logEpoch))) {
      await retried('confirm', () => context.consumer.confirm(logEpoch), context);
    }
    await retried('facts', () => warehouse.insertFacts(batch), context);
  }
  if (batch.deadLetters.length > 0) {
    const letters = batch.deadLetters.map(row => toDeadLetterRecord(stream.name, row));
    await retried('dead_letters', () => log.append(DEAD_LETTERS_TOPIC, letters), context);
  }
  for (const {work, cursor} of parts) work.durableOffset = cursor.nextOffset;
  return {parts, startedAt, rows: batch.arrivals.length, forgottenUnits};
}

/**
 * The second half: shows the open slices and moves the offsets, while the rows of the next flush may be on their way already.
 *
 * @returns 'fenced' when a commit was refused: the rows are durable all the same.
 */
export async function finishFlush({parts, startedAt, rows, forgottenUnits}: StoredFlush, context: FlushContext): Promise<'committed' | 'fenced'> {
  const {stream, clock, metrics, cache, logger} = context;
  cache.drop(forgottenUnits);
  await showProvisional(parts, context);
  const outcome = await commitDurable(context);
  metrics.count(WORKER_METRICS.flushedRows, rows, {stream: stream.name});
  metrics.observe(WORKER_METRICS.flushSeconds, (clock.now() - startedAt) / 1000, {stream: stream.name});
  logger.debug('batch flushed', {stream: stream.name, rows, outcome});
  return outcome;
}

/** Commits what is durable and not committed, for the partitions this worker still has. */
async function commitDurable(context: FlushContext): Promise<'committed' | 'fenced'> {
  const commitOnce = async (): Promise<void> => {
    const due = context.works().filter(isCommitDue);
    const offsets = due.map(({partition, durableOffset}) => ({partition, offset: durableOffset}));
    if (offsets.length === 0) return;
    await context.consumer.commit(offsets);
    for (const [index, work] of due.entries()) work.committedOffset = offsets[index]?.offset ?? work.committedOffset;
    context.onProgress?.();
  };
  try {
    await retried('commit', commitOnce, context);
    return 'committed';
  } catch (error) {
    if (error instanceof AssayError && error.code === 'ASSAY_LOG_FENCED') return 'fenced';
    throw error;
  }
}

export const isCommitDue = (work: PartitionWork): boolean =>
  !work.isRevoked && work.durableOffset > work.committedOffset;

function retried<T>(step: string, work: () => Promise<T>, context: FlushContext): Promise<T> {
  const {clock, rng, metrics, logger, stream} = context;
  return retryForever(work, {
    clock,
    rng,
    signal: context.retrySignal,
    onRetry: (error, attempt) => {
      context.onRetry();
      metrics.count(WORKER_METRICS.flushRetries, 1, {stream: stream.name, step});
      logger.warn('flush delayed', {stream: stream.name, step, attempt, code: error.code, error: error.message});
    },
  });
}

function toFactBatch(stream: string, parts: readonly FlushPart[]): FactBatch {
  return {
    stream,
    exposures: joinedFacts(parts.map(({rows}) => rows.exposures)),
    outcomes: joinedFacts(parts.map(({rows}) => rows.outcomes)),
    deadLetters: parts.flatMap(({rows}) => rows.deadLetters),
    arrivals: joinedArrivals(parts.map(({rows}) => rows.arrivals)),
  };
}

function joinedFacts<Fact>(parts: readonly EncodedFactRows<Fact>[]): EncodedFactRows<Fact> {
  const rows = joined(parts);
  if (parts.some(({visit}) => visit === undefined)) return rows;
  return {
    ...rows,
    visit: visitor => {
      for (const part of parts) part.visit?.(visitor);
    },
  };
}

const joinedArrivals = (parts: readonly ArrivalRows[]): ArrivalRows => ({
  ...joined(parts),
  columns: () => parts.flatMap(part => part.columns?.() ?? []),
});

