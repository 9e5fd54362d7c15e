import {messageOf} from '../core/errors.ts';
import {LIMITS} from '../core/limits.ts';
import {type EpochMs, epochMs, sliceStartOf} from '../core/units.ts';
import {Attributor, type Attributors} from './attribution.ts';
import {isRetryable} from './backoff.ts';
import {type CachedExposure, ExposureCache} from './exposure-cache.ts';
import {joined} from './fact-rows.ts';
import type {FlushPart, PartitionWork} from './partition-work.ts';
import type {ProvisionalSlices} from './provisional-slices.ts';
import {type SlicedOutcome, slicedOutcome} from './sliced-outcome.ts';
import {WORKER_LIMITS} from './worker-limits.ts';
import {WORKER_METRICS} from './worker-metrics.ts';
import type {WorkerOptions} from './worker-options.ts';

type Context = Pick<WorkerOptions, 'stream' | 'warehouse' | 'views' | 'metrics' | 'logger'> & {
  readonly cache: ExposureCache;
};

/**
 * Joins the outcomes of a flush with the exposures this worker knows and stores
 * the open slices that changed. Runs after the facts are durable, so the look-up
 * sees the exposures of this very flush. Provisional rows are a service, not the
 * books: when the warehouse is slow here, nothing waits and nothing is repeated;
 * what could not be stored is cumulative and goes with the next flush.
 */
export async function showProvisional(parts: readonly FlushPart[], context: Context & {readonly attributors: Attributors}): Promise<void> {
  const {stream, warehouse, cache, attributors, logger} = context;
  const owned = parts.filter(({work}) => !work.isRevoked);
  for (const {rows} of owned) for (const exposure of rows.exposures) cache.observe(exposure);
  const attributor = attributors.of(context.views(stream.name));
  const fresh = owned.map(part => ({...part, fresh: freshRows(part, context)}));
  const visitFresh: Visit = take => {
    for (const part of fresh) part.rows.visitOutcomes(part.fresh, take);
  };
  const known = attributor.hasSplit ? await lookUp(visitFresh, context) : [];
  let at = 0;
  for (const {work, rows, fresh: taken} of fresh) {
    const of = known.slice(at, at + taken.length);
    at += taken.length;
    if (!work.isRevoked) addAll(work.slices, take => rows.visitOutcomes(taken, take), {...context, attributor, known: of});
  }
  const live = fresh.filter(({work}) => !work.isRevoked);
  // One that is rebuilt while the rows below are written keeps its changes for the next flush.
  const shown = live.filter(({work}) => work.isRebuilt);
  const changed = joined(shown.map(({work, cursor}) => {
    const {logEpoch, partition} = work;
    return work.slices.changed({logEpoch, partition, lastOffset: cursor.nextOffset - 1n});
  }));
  try {
    if (changed.length > 0) await warehouse.insertProvisional(stream.name, changed);
    for (const {work} of shown) work.slices.settle();
  } catch (error) {
    if (!isRetryable(error)) throw error;
    logger.warn('provisional slices delayed', {slices: changed.length, error: messageOf(error)});
  }
  for (const {work, cursor} of fresh) work.slices.dropEndingBefore(openFrom(cursor.arrivalHigh, context));
}

/**
 * A new owner's open slices: the outcomes below its start, read back from the facts.
 * Built aside and then merged, so that a failure half-way leaves nothing behind.
 */
export async function rebuildProvisional(
  work: PartitionWork,
  aside: ProvisionalSlices,
  options: Omit<Context, 'cache'> & {readonly arrivalHigh: EpochMs},
): Promise<void> {
  const {stream, warehouse} = options;
  // A cache of its own: what it learns must not miss the exposures that flushes see meanwhile.
  const context = {...options, cache: new ExposureCache(WORKER_LIMITS.rebuildCacheUnitsMax)};
  const from = sliceStartOf(epochMs(openFrom(options.arrivalHigh, options) - stream.sliceMs), stream.sliceMs);
  const below = {stream: stream.name, logEpoch: work.logEpoch, partition: work.partition, belowOffset: work.startOffset};
  const attributor = new Attributor(context.views(stream.name));
  for await (const outcomes of warehouse.openOutcomes({...below, from})) {
    if (work.isRevoked) return;
    for (let start = 0; start < outcomes.length; start += LIMITS.exposureLookupUnitsMax) {
      const chunk = outcomes.slice(start, start + LIMITS.exposureLookupUnitsMax).map(slicedOutcome);
      const visit: Visit = take => chunk.forEach(take);
      const known = attributor.hasSplit ? await lookUp(visit, context) : [];
      addAll(aside, visit, {...context, attributor, known});
    }
  }
}

/** Rows of outcomes that belong to open slices and were not seen before; counts the late ones. */
function freshRows({work, rows, cursor}: FlushPart, {stream, metrics}: Context): Uint32Array {
  const open = openFrom(cursor.arrivalHigh, {stream});
  const {sliceMs, latenessMs} = stream;
  let late = 0;
  let duplicates = 0;
  const fresh = rows.outcomeRowsWhere(({eventTs, arrivalTs, idLow, idHigh}) => {
    const sliceEnd = Math.floor(eventTs / sliceMs) * sliceMs + sliceMs;
    if (arrivalTs > sliceEnd + latenessMs) late++;
    const isDuplicate = work.hints.seen(idLow, idHigh);
    if (isDuplicate) duplicates++;
    return !isDuplicate && sliceEnd >= open;
  });
  if (late > 0) metrics.count(WORKER_METRICS.lateEvents, late, {stream: stream.name});
  if (duplicates > 0) metrics.count(WORKER_METRICS.duplicateHints, duplicates, {stream: stream.name});
  return fresh;
}

/** Hands out outcomes one after the other; each holds until the next. */
type Visit = (take: (outcome: SlicedOutcome) => void) => void;

type Known = readonly (readonly CachedExposure[] | undefined)[];

/**
 * At most once per flush: the units that the cache does not know, up to the limit.
 *
 * @returns for each outcome what the cache knew; where it did not, it may now
 */
async function lookUp(visit: Visit, {stream, warehouse, cache, logger}: Context): Promise<Known> {
  const known: (readonly CachedExposure[] | undefined)[] = [];
  const missing = new Set<string>();
  visit(outcome => {
    const {unitId} = outcome;
    const exposures = cache.of(unitId);
    known.push(exposures);
    if (exposures === undefined && missing.size < LIMITS.exposureLookupUnitsMax) missing.add(unitId);
  });
  if (missing.size === 0) return known;
  const unitIds = [...missing];
  try {
    cache.learn(unitIds, await warehouse.firstExposures(stream.name, unitIds));
  } catch (error) {
    if (!isRetryable(error)) throw error;
    logger.warn('exposure lookup failed', {units: unitIds.length, error: messageOf(error)});
  }
  return known;
}

function addAll(
  slices: ProvisionalSlices,
  visit: Visit,
  {attributor, cache, stream, metrics, known}: Omit<Context, 'views'> & {readonly attributor: Attributor; readonly known: Known},
): void {
  const isJoinNeeded = attributor.hasSplit;
  let at = 0;
  let unjoined = 0;
  let refused = 0;
  visit(outcome => {
    const exposures = isJoinNeeded ? (known[at++] ?? cache.of(outcome.unitId)) : NO_EXPOSURES;
    const {attributions, isUnjoined} = attributor.attribute(outcome, exposures);
    if (isUnjoined) unjoined++;
    refused += slices.add(outcome, attributions);
  });
  if (unjoined > 0) metrics.count(WORKER_METRICS.unjoined, unjoined, {stream: stream.name});
  if (refused > 0) metrics.count(WORKER_METRICS.overflow, refused, {stream: stream.name});
}

const NO_EXPOSURES: readonly CachedExposure[] = [];

/** Slices that end before this have passed their lateness in this partition. */
function openFrom(arrivalHigh: EpochMs | null, {stream}: Pick<Context, 'stream'>): EpochMs {
  return epochMs((arrivalHigh ?? 0) - stream.latenessMs);
}
