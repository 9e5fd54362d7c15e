/**
 * Every bound of the pipeline with its reason. A queue, buffer, map, retry or
 * timeout without a row here is a defect; `checkLimits` proves their relations.
 */
export const LIMITS = {
  /** One event's encoded size. Prompts and answers do not belong into events. */
  eventBytesMax: 64 * 1024,
  /** What one fetched batch may unpack to; beyond it the batch is dead-lettered by range. */
  batchUnpackedBytesMax: 32 * 1024 * 1024,
  /** Values held between log and loop, per consumer. */
  inFlightBytesMax: 8 * 1024 * 1024,
  consumerBatchRecordsMax: 5_000,
  /** A flush is due at whichever comes first. By age while a worker keeps up; behind, larger inserts make fewer parts (docs/adr/0011). */
  insertBufferBytesMax: 32 * 1024 * 1024,
  insertBufferRowsMax: 100_000,
  insertBufferAgeMsMax: 1_000,
  /** Units whose first exposures are cached per worker. */
  exposureCacheUnitsMax: 500_000,
  /** Units looked up in the warehouse per flush; the rest count as provisional_unjoined. */
  exposureLookupUnitsMax: 5_000,
  /** Keys of open provisional slices per worker; beyond it they wait for closing. */
  provisionalKeysMax: 100_000,
  /** Ids remembered to skip needless duplicate inserts; only a hint. */
  duplicateHintsMax: 500_000,
  /** An outcome or exposure may be stamped this far ahead of its arrival. */
  futureMsMax: 60_000,
  /** Between the time inside an event id and event_ts. */
  idTimeSkewMsMax: 24 * 3_600_000,
  maxAgeMs: 30 * 24 * 3_600_000,
  latenessMs: 5 * 60_000,
  sliceMs: 10_000,
  /** An idle live partition gets a tick this often. */
  tickIdleMs: 1_000,
  retryBackoffMsMin: 100,
  retryBackoffMsMax: 10_000,
  /** A consumer is rebuilt this often before the process gives up. */
  consumerRebuildsMax: 5,
  shutdownDrainMsMax: 10_000,
  /** Strings inside an event. */
  nameCharsMax: 256,
  unitIdCharsMax: 512,
  measuresMax: 64,
  attributesMax: 64,
} as const;

/** The relations the bounds must keep; returns what is violated. */
export function checkLimits(limits: Readonly<Record<keyof typeof LIMITS, number>> = LIMITS): string[] {
  const broken: string[] = [];
  if (limits.eventBytesMax * 16 > limits.inFlightBytesMax) broken.push('inFlightBytesMax must hold 16 events of eventBytesMax');
  if (limits.inFlightBytesMax > limits.insertBufferBytesMax) broken.push('insertBufferBytesMax must hold one inFlightBytesMax');
  if (limits.inFlightBytesMax > limits.batchUnpackedBytesMax) broken.push('batchUnpackedBytesMax must be at least inFlightBytesMax');
  if (limits.retryBackoffMsMin > limits.retryBackoffMsMax) broken.push('retryBackoffMsMin must not exceed retryBackoffMsMax');
  return broken;
}
