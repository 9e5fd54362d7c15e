import {AssayError} from '../../core/errors.ts';
import type {FactBatch, FactRows, OutcomeFact} from '../../core/facts.ts';
import type {ProvisionalSlice} from '../../core/slices.ts';
import type {EpochMs} from '../../core/units.ts';
import type {FactStore, FirstExposure, PartitionBelow} from '../warehouse.ts';
import type {MemoryState} from './memory-state.ts';
import {sliceKeyText} from './recompute-slices.ts';
import {positionKey} from './stream-store.ts';

/** How far an insert gets before it fails: rows in the order exposures, outcomes, dead letters, arrivals. */
export type InsertFault = {
  /** Share of the batch that is stored, in [0, 1]. */
  readonly stored: number;
  /** The acknowledgement is lost, or the insert was refused. */
  readonly isFailed: boolean;
};

const WHOLE: InsertFault = {stored: 1, isFailed: false};
const OPEN_OUTCOMES_BATCH = 1_000;

/** Tombstones are in memory-privacy.ts. */
export class MemoryFacts implements Omit<FactStore, 'tombstones'> {
  readonly #state: MemoryState;

  constructor(state: MemoryState) {
    this.#state = state;
  }

  async insertFacts(batch: FactBatch): Promise<void> {
    await this.#state.called('insertFacts');
    const fault = (await this.#state.options.onInsert?.(batch)) ?? WHOLE;
    const total = batch.exposures.length + batch.outcomes.length + batch.deadLetters.length + batch.arrivals.length;
    let room = fault.stored >= 1 ? total : Math.floor(fault.stored * total);
    const prefix = <Row>(rows: FactRows<Row>): readonly Row[] => {
      const taken = [...rows].slice(0, room);
      room -= taken.length;
      return taken;
    };
    const store = this.#state.stream(batch.stream);
    store.exposures.insert(prefix(batch.exposures));
    store.outcomes.insert(prefix(batch.outcomes));
    for (const row of prefix(batch.deadLetters)) store.deadLetters.set(positionKey(row), row);
    for (const row of prefix(batch.arrivals)) store.arrivals.set(positionKey(row), row);
    if (fault.isFailed) throw new AssayError('ASSAY_SINK_UNAVAILABLE', 'the insert was not acknowledged');
  }

  async insertProvisional(stream: string, slices: FactRows<ProvisionalSlice>): Promise<void> {
    await this.#state.called('insertProvisional');
    const {provisional} = this.#state.stream(stream);
    for (const slice of slices) {
      const key = `${sliceKeyText(slice)}\0${slice.logEpoch}\0${slice.partition}`;
      const known = provisional.get(key);
      if (known === undefined || known.lastOffset < slice.lastOffset) provisional.set(key, slice);
    }
  }

  async arrivalHigh({stream, logEpoch, partition, belowOffset}: PartitionBelow): Promise<EpochMs | null> {
    await this.#state.called('arrivalHigh');
    let high: EpochMs | null = null;
    for (const row of this.#state.stream(stream).arrivals.values()) {
      const isBelow = row.logEpoch === logEpoch && row.partition === partition && row.offset < belowOffset;
      if (isBelow && (high === null || row.arrivalTs > high)) high = row.arrivalTs;
    }
    return high;
  }

  async firstExposures(stream: string, unitIds: readonly string[]): Promise<FirstExposure[]> {
    await this.#state.called('firstExposures');
    const {exposures} = this.#state.stream(stream);
    return unitIds.flatMap(unitId => {
      const assigned = exposures.ofUnit(unitId).filter(({reason}) => reason === 'assigned');
      const sorted = assigned
        .map(({experiment, phase, variant, eventTs, eventId}) => {
          return {unitId, experiment, phase, variant, eventTs, eventId: Buffer.from(eventId).toString('hex')};
        })
        .sort((a, b) => a.eventTs - b.eventTs || (a.eventId < b.eventId ? -1 : 1));
      const isOf = (a: (typeof sorted)[number], b: (typeof sorted)[number]): boolean =>
        a.experiment === b.experiment && a.phase === b.phase;
      return sorted
        .filter((exposure, index) => sorted.findIndex(other => isOf(other, exposure)) === index)
        .map(first => ({...first, isCrossover: sorted.some(e => isOf(e, first) && e.variant !== first.variant)}));
    });
  }

  async *openOutcomes(query: PartitionBelow & {readonly from: EpochMs}): AsyncGenerator<readonly OutcomeFact[]> {
    await this.#state.called('openOutcomes');
    const {logEpoch, partition, belowOffset, from} = query;
    const found = this.#state
      .stream(query.stream)
      .outcomes.all()
      .filter(({arrival: at, eventTs}) => {
        const isHere = at.logEpoch === logEpoch && at.partition === partition;
        return isHere && at.offset < belowOffset && eventTs >= from;
      })
      .sort((a, b) => (a.arrival.offset < b.arrival.offset ? -1 : 1));
    for (let start = 0; start < found.length; start += OPEN_OUTCOMES_BATCH) {
      yield found.slice(start, start + OPEN_OUTCOMES_BATCH);
    }
  }

  async writtenThrough(stream: string, logEpoch: number, partition: number): Promise<bigint | null> {
    await this.#state.called('writtenThrough');
    let through: bigint | null = null;
    for (const row of this.#state.stream(stream).arrivals.values()) {
      if (row.logEpoch !== logEpoch || row.partition !== partition) continue;
      if (through === null || row.offset >= through) through = row.offset + 1n;
    }
    return through;
  }
}
