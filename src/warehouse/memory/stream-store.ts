import type {ArrivalRow, DeadLetterRow, ExposureFact, OutcomeFact} from '../../core/facts.ts';
import type {ClosedSlice, ProvisionalSlice} from '../../core/slices.ts';
import type {EpochMs} from '../../core/units.ts';
import type {CommittedOffset} from '../warehouse.ts';
import {type AnyFact, FactTable} from './fact-table.ts';

/** A row of `closings`: written last, so what it speaks of is complete. */
export type ClosingMarker = {
  readonly kind: 'close' | 'revise';
  readonly from: EpochMs;
  readonly through: EpochMs;
  readonly cut: EpochMs;
  /** By experiment. */
  readonly versions: ReadonlyMap<string, number>;
  readonly committed: readonly CommittedOffset[];
};

/** Everything one stream has in the warehouse. */
export class StreamStore {
  readonly exposures: FactTable<ExposureFact>;
  readonly outcomes: FactTable<OutcomeFact>;
  /** By position. */
  readonly arrivals = new Map<string, ArrivalRow>();
  readonly deadLetters = new Map<string, DeadLetterRow>();
  readonly provisional = new Map<string, ProvisionalSlice>();
  /** By key and cut: a slice's row when it closed, and one per revision that changed it. */
  readonly slices = new Map<string, ClosedSlice>();
  readonly closings: ClosingMarker[] = [];
  readonly forgotten = new Map<string, EpochMs>();
  /** Hashes of events that tombstones cover; when they were covered. */
  readonly forgottenIds = new Map<bigint, EpochMs>();
  /** Slices that held one of them; recomputes with a cut up to then may have counted it. */
  readonly forgottenSlices = new Map<EpochMs, EpochMs>();

  constructor(identity: (fact: AnyFact) => string) {
    this.exposures = new FactTable(identity);
    this.outcomes = new FactTable(identity);
  }
}

export const positionKey = ({logEpoch, partition, offset}: {logEpoch: number; partition: number; offset: bigint}): string =>
  `${logEpoch}/${partition}/${offset}`;
