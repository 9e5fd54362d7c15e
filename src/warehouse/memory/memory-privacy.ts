import {type EpochMs, epochMs, sliceStartOf} from '../../core/units.ts';
import type {PrivacyStore, Tombstone, Tombstones} from '../warehouse.ts';
import type {MemoryState} from './memory-state.ts';
import type {StreamStore} from './stream-store.ts';
import {positionKey} from './stream-store.ts';

export class MemoryPrivacy implements PrivacyStore {
  readonly #state: MemoryState;

  constructor(state: MemoryState) {
    this.#state = state;
  }

  async tombstones(stream: string): Promise<Tombstones> {
    await this.#state.called('tombstones');
    const {forgotten, forgottenIds} = this.#state.stream(stream);
    return {units: new Map(forgotten), ids: new Set(forgottenIds.keys())};
  }

  async writeTombstone({stream, unitId}: {readonly stream: string; readonly unitId: string}): Promise<Tombstone | null> {
    await this.#state.called('writeTombstone');
    const store = this.#state.stream(stream);
    const forgottenTs = newestArrival(store);
    if (forgottenTs === null) return null;
    store.forgotten.set(unitId, forgottenTs);
    store.exposures.hide(store.forgotten);
    store.outcomes.hide(store.forgotten);
    return {forgottenTs, events: this.#remember(store, {stream, unitId, forgottenTs})};
  }

  /** What the books and the audit need of events that are to be erased. @returns how many there are */
  #remember(store: StreamStore, {stream, unitId, forgottenTs}: {readonly stream: string; readonly unitId: string; readonly forgottenTs: EpochMs}): number {
    const sliceMs = this.#state.streamRecords.get(stream)?.sliceMs;
    const ids = new Set<bigint>();
    for (const fact of [...store.exposures.copies(), ...store.outcomes.copies()]) {
      if (fact.unitId !== unitId || fact.arrival.arrivalTs > forgottenTs) continue;
      const idHash = store.arrivals.get(positionKey(fact.arrival))?.idHash;
      if (idHash !== undefined) ids.add(idHash);
      if (fact.kind === 'outcome' && sliceMs !== undefined) store.forgottenSlices.set(sliceStartOf(fact.eventTs, sliceMs), forgottenTs);
    }
    for (const id of ids) store.forgottenIds.set(id, forgottenTs);
    return ids.size;
  }

  async eraseUnit({stream, unitId, logKey, forgottenTs}: {readonly stream: string; readonly unitId: string; readonly logKey: string; readonly forgottenTs: EpochMs}): Promise<void> {
    await this.#state.called('eraseUnit');
    const store = this.#state.stream(stream);
    this.#remember(store, {stream, unitId, forgottenTs});
    store.exposures.erase(fact => fact.unitId === unitId && fact.arrival.arrivalTs <= forgottenTs);
    store.outcomes.erase(fact => fact.unitId === unitId && fact.arrival.arrivalTs <= forgottenTs);
    for (const [position, {key, arrivalTs}] of store.deadLetters) if (key === logKey && arrivalTs <= forgottenTs) store.deadLetters.delete(position);
  }
}

function newestArrival({arrivals}: StreamStore): EpochMs | null {
  let newest: EpochMs | null = null;
  for (const {arrivalTs} of arrivals.values()) if (newest === null || arrivalTs > newest) newest = epochMs(arrivalTs);
  return newest;
}
