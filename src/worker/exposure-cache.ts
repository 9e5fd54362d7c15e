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
 *
 * Units that are asked for move to the young half; when that is full the old half is
 * forgotten and the young one takes its place. A list in exact order of use cost half a
 * microsecond an event.
 */
export class ExposureCache {
  readonly #halfMax: number;
  #young = new Map<string, CachedExposure[]>();
  #old = new Map<string, CachedExposure[]>();

  constructor(unitsMax: number) {
    this.#halfMax = Math.max(1, Math.floor(unitsMax / 2));
  }

  get units(): number {
    return this.#young.size + this.#old.size;
  }

  /** undefined: not known, look it up. */
  of(unitId: string): readonly CachedExposure[] | undefined {
    return this.#get(unitId);
  }

  /** What the warehouse said about these units; those it did not mention have no exposure. */
  learn(unitIds: readonly string[], found: readonly FirstExposure[]): void {
    this.drop(unitIds);
    for (const unitId of unitIds) this.#keep(unitId, []);
    for (const {unitId, experiment, phase, variant, eventTs, eventId, isCrossover} of found) {
      this.#get(unitId)?.push({experiment, phase, variant, eventTs, eventId, isCrossover});
    }
  }

  /** A new exposure of a unit that is known changes its entry; for others the look-up will find it. */
  observe(exposure: ExposureFact): void {
    if (exposure.reason !== 'assigned') return;
    const entries = this.#get(exposure.unitId);
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
    for (const unitId of unitIds) {
      this.#young.delete(unitId);
      this.#old.delete(unitId);
    }
  }

  /** Partitions left this worker, and their units' exposures no longer pass through here. */
  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
  }

  #get(unitId: string): CachedExposure[] | undefined {
    const young = this.#young.get(unitId);
    if (young !== undefined) return young;
    const old = this.#old.get(unitId);
    if (old === undefined) return undefined;
    this.#old.delete(unitId);
    this.#keep(unitId, old);
    return old;
  }

  #keep(unitId: string, entries: CachedExposure[]): void {
    if (this.#young.size >= this.#halfMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(unitId, entries);
  }
}
