import {LRUCache} from 'lru-cache';
import type {ExposureFact} from '../core/facts.ts';
import type {EpochMs} from '../core/units.ts';
import type {FirstExposure} from '../warehouse/warehouse.ts';

/** A unit's first `assigned` exposure in one phase of one experiment. */
export type CachedExposure = {
  readonly experiment: string;
  readonly phase: number;
  variant: string;
  eventTs: EpochMs;
  eventId: string;
  isCrossover: boolean;
};

/**
 * First exposures of the units this worker meets: a cache for provisional slices,
 * never the truth. An entry is complete (it came from the warehouse and every later
 * exposure passed through here) or absent; an empty one says the unit has none.
 */
export class ExposureCache {
  readonly #byUnit: LRUCache<string, CachedExposure[]>;

  constructor(unitsMax: number) {
    // Not `max`, which would reserve all the memory at once: many streams are small.
    this.#byUnit = new LRUCache({maxSize: unitsMax, sizeCalculation: () => 1});
  }

  get units(): number {
    return this.#byUnit.size;
  }

  /** undefined: not known, look it up. */
  of(unitId: string): readonly CachedExposure[] | undefined {
    return this.#byUnit.get(unitId);
  }

  /** What the warehouse said about these units; those it did not mention have no exposure. */
  learn(unitIds: readonly string[], found: readonly FirstExposure[]): void {
    for (const unitId of unitIds) this.#byUnit.set(unitId, []);
    for (const {unitId, experiment, phase, variant, eventTs, eventId, isCrossover} of found) {
      this.#byUnit.get(unitId)?.push({experiment, phase, variant, eventTs, eventId, isCrossover});
    }
  }

  /** A new exposure of a unit that is known changes its entry; for others the look-up will find it. */
  observe(exposure: ExposureFact): void {
    if (exposure.reason !== 'assigned') return;
    const entries = this.#byUnit.get(exposure.unitId);
    if (entries === undefined) return;
    const {experiment, phase, variant, eventTs} = exposure;
    const eventId = Buffer.from(exposure.eventId).toString('hex');
    const known = entries.find(entry => entry.experiment === experiment && entry.phase === phase);
    if (known === undefined) {
      entries.push({experiment, phase, variant, eventTs, eventId, isCrossover: false});
      return;
    }
    if (known.variant !== variant) known.isCrossover = true;
    if (eventTs < known.eventTs || (eventTs === known.eventTs && eventId < known.eventId)) {
      Object.assign(known, {variant, eventTs, eventId});
    }
  }

  /** Forgotten units are looked up anew. */
  drop(unitIds: readonly string[]): void {
    for (const unitId of unitIds) this.#byUnit.delete(unitId);
  }

  /** Partitions left this worker, and their units' exposures no longer pass through here. */
  clear(): void {
    this.#byUnit.clear();
  }
}
