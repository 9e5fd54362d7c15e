import type {ExposureFact, FactBatch, OutcomeFact} from '../core/facts.ts';
import type {EpochMs} from '../core/units.ts';
import type {FactStore, Tombstones} from '../warehouse/warehouse.ts';
import type {RecordHasher} from './record-hasher.ts';
import {WORKER_LIMITS} from './worker-limits.ts';

export type ForgottenOptions = {readonly stream: string; readonly warehouse: Pick<FactStore, 'tombstones'>; readonly hasher: RecordHasher};

/**
 * The tombstones as a worker knows them, so that a replay of the log does not bring an
 * erased unit back. What slips through while they are not known yet counts nowhere: every
 * read leaves out what a tombstone covers. Positions keep their rows in `arrivals`.
 */
export class Forgotten {
  readonly #options: ForgottenOptions;
  #known: Tombstones = {units: new Map(), ids: new Set()};
  #refreshedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ForgottenOptions) {
    this.#options = options;
  }

  /** Asks for the tombstones when they were not asked for of late; tells `onNew` which units came to be forgotten. */
  async refresh(now: EpochMs, onNew: (unitIds: readonly string[]) => void): Promise<void> {
    if (now - this.#refreshedAt < WORKER_LIMITS.tombstonesEveryMs) return;
    const {stream, warehouse} = this.#options;
    const before = this.#known.units;
    this.#known = await warehouse.tombstones(stream);
    this.#refreshedAt = now;
    const fresh = [...this.#known.units].filter(([unitId, ts]) => before.get(unitId) !== ts).map(([unitId]) => unitId);
    if (fresh.length > 0) onNew(fresh);
  }

  withoutForgotten(batch: FactBatch): FactBatch {
    if (this.#known.units.size === 0) return batch;
    const isKept = (fact: ExposureFact | OutcomeFact): boolean => {
      const forgottenTs = this.#known.units.get(fact.unitId);
      if (forgottenTs === undefined) return true;
      return fact.arrival.arrivalTs > forgottenTs && !this.#known.ids.has(this.#options.hasher.id(fact));
    };
    const isLetterKept = ({key, arrivalTs}: FactBatch['deadLetters'][number]): boolean => arrivalTs > (this.#known.units.get(key ?? '') ?? 0);
    return {
      ...batch,
      exposures: [...batch.exposures].filter(isKept),
      outcomes: [...batch.outcomes].filter(isKept),
      deadLetters: batch.deadLetters.filter(isLetterKept),
    };
  }
}
