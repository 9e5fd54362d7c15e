import type {DeadLetterRow, ExposureFact, FactBatch, OutcomeFact} from '../core/facts.ts';
import type {Position} from '../core/events.ts';
import type {EpochMs} from '../core/units.ts';
import type {FactStore, Tombstones} from '../warehouse/warehouse.ts';
import type {EventCodec} from './event-codec.ts';
import type {RecordHasher} from './record-hasher.ts';
import {WORKER_LIMITS} from './worker-limits.ts';

const positionOf = ({partition, offset}: Position): string => `${partition}/${offset}`;

export type ForgottenOptions = {
  readonly stream: string;
  readonly warehouse: Pick<FactStore, 'tombstones'>;
  readonly hasher: RecordHasher;
  readonly codec: Pick<EventCodec, 'decode' | 'storedUnitId'>;
};

/**
 * The tombstones as a worker knows them, so that a replay of the log does not bring an
 * erased unit back. What slips through while they are not known yet counts nowhere: every
 * read leaves out what a tombstone covers. Positions keep their rows in `arrivals`, as `forgotten`.
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
    const {units, ids} = this.#known;
    if (units.size === 0) return batch;
    const others = {...batch, deadLetters: batch.deadLetters.filter(letter => !this.#isLetterOfForgotten(letter))};
    // Rows are made as they are read: a batch without such a unit is not turned into arrays.
    const own = ownFacts(batch, units);
    if (own.length === 0) return others;
    const covered = new Set<string>();
    const left = new Set<string>();
    for (const fact of own) {
      const isCovered = fact.arrival.arrivalTs <= (units.get(fact.unitId) ?? 0);
      if (isCovered) covered.add(positionOf(fact.arrival));
      if (isCovered || ids.has(this.#options.hasher.id(fact))) left.add(positionOf(fact.arrival));
    }
    const isKept = ({arrival}: ExposureFact | OutcomeFact): boolean => !left.has(positionOf(arrival));
    return {
      ...others,
      exposures: [...batch.exposures].filter(isKept),
      outcomes: [...batch.outcomes].filter(isKept),
      arrivals: [...batch.arrivals].map(row => (covered.has(positionOf(row)) ? {...row, kind: 'forgotten'} : row)),
    };
  }

  /** A letter's unit is told by its key, and by its content where that can be read. */
  #isLetterOfForgotten({key, value, arrivalTs}: DeadLetterRow): boolean {
    const {codec} = this.#options;
    const isCovered = (unitId: string): boolean => arrivalTs <= (this.#known.units.get(unitId) ?? 0);
    if (key !== null && isCovered(codec.storedUnitId?.(key) ?? key)) return true;
    const decoded = codec.decode(value);
    return decoded.ok && decoded.event.kind !== 'tick' && isCovered(decoded.event.unitId);
  }
}

function ownFacts({exposures, outcomes}: FactBatch, units: Tombstones['units']): (ExposureFact | OutcomeFact)[] {
  const own: (ExposureFact | OutcomeFact)[] = [];
  for (const fact of exposures) if (units.has(fact.unitId)) own.push(fact);
  for (const fact of outcomes) if (units.has(fact.unitId)) own.push(fact);
  return own;
}
