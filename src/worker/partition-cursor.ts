import type {EpochMs} from '../core/units.ts';

/**
 * How far a partition is read. A row is a pure function of the partition's prefix
 * (DESIGN §4), and this is all of the prefix that a row needs: the largest append
 * time seen, which is the arrival time of whatever comes next unless that is larger.
 */
export type PartitionCursor = {
  readonly logEpoch: number;
  readonly partition: number;
  /** The offset expected next. */
  readonly nextOffset: bigint;
  /** Running maximum of append_ts; null before the partition's first record. */
  readonly arrivalHigh: EpochMs | null;
};

/** `arrivalHigh` comes from the warehouse's arrivals below the start. */
export function startCursor(
  start: {readonly logEpoch: number; readonly partition: number; readonly startOffset: bigint},
  arrivalHigh: EpochMs | null,
): PartitionCursor {
  return {logEpoch: start.logEpoch, partition: start.partition, nextOffset: start.startOffset, arrivalHigh};
}

/** The arrival time of a record appended at `appendTs`, and the running maximum behind it. */
export function arrivalAfter(arrivalHigh: EpochMs | null, appendTs: EpochMs): EpochMs {
  return arrivalHigh !== null && arrivalHigh > appendTs ? arrivalHigh : appendTs;
}
