import type {Metric} from '../../core/experiment.ts';
import type {ExposureFact, OutcomeFact} from '../../core/facts.ts';
import type {AnalysisScope} from '../warehouse.ts';
import {countsFor, type Placement, type Place, valuesOf} from './attribute-outcome.ts';
import type {MemoryState} from './memory-state.ts';

export type PlacedOutcome = {readonly outcome: OutcomeFact; readonly placement: Placement};
export type ScopedValue = {
  readonly outcome: OutcomeFact;
  readonly variant: string;
  readonly value: number;
  readonly denominator: number;
};

/** The facts that one verdict may see, and where they belong. */
export class ScopedFacts {
  readonly #state: MemoryState;
  readonly #scope: Omit<AnalysisScope, 'phase'>;
  #placed: PlacedOutcome[] | undefined;

  constructor(state: MemoryState, scope: Omit<AnalysisScope, 'phase'>) {
    this.#state = state;
    this.#scope = scope;
  }

  /** `assigned` exposures and the others, of the experiment, under the cut. */
  exposures(): ExposureFact[] {
    const {stream, view, cut} = this.#scope;
    return this.#state
      .stream(stream)
      .exposures.all()
      .filter(e => e.experiment === view.experiment && e.arrival.arrivalTs <= cut);
  }

  placed(): PlacedOutcome[] {
    this.#placed ??= this.#place();
    return this.#placed;
  }

  #place(): PlacedOutcome[] {
    const {stream, view, cut} = this.#scope;
    const store = this.#state.stream(stream);
    return store.outcomes
      .all()
      .filter(({arrival}) => arrival.arrivalTs <= cut)
      .map(outcome => {
        const seen = store.exposures.ofUnit(outcome.unitId).filter(e => e.arrival.arrivalTs <= cut);
        return {outcome, placement: this.#state.place(view, outcome, seen)};
      });
  }

  /** What each outcome of the phase contributes to the metric. */
  values(metric: Metric, phase: number): ScopedValue[] {
    return this.placed().flatMap(({outcome, placement}) => {
      if (typeof placement === 'string' || placement.phase !== phase) return [];
      if (!countsFor(metric, placement, outcome.eventTs)) return [];
      const found = valuesOf(metric, outcome);
      return found === undefined ? [] : [{outcome, variant: placement.variant, value: found[0], denominator: found[1]}];
    });
  }

  /** Exposed units of a phase by variant; a unit that met several is in `crossover` alone. */
  arms(phase: number): {readonly unitsOf: ReadonlyMap<string, ReadonlySet<string>>; readonly crossover: ReadonlySet<string>} {
    const variantsOf = new Map<string, Set<string>>();
    for (const {unitId, variant, phase: of, reason} of this.exposures()) {
      if (reason !== 'assigned' || of !== phase) continue;
      variantsOf.set(unitId, (variantsOf.get(unitId) ?? new Set()).add(variant));
    }
    const unitsOf = new Map<string, Set<string>>();
    const crossover = new Set<string>();
    for (const [unitId, variants] of variantsOf) {
      const [variant = ''] = variants;
      if (variants.size > 1) crossover.add(unitId);
      else unitsOf.set(variant, (unitsOf.get(variant) ?? new Set()).add(unitId));
    }
    return {unitsOf, crossover};
  }
}

export const isPlaced = (placement: Placement): placement is Place => typeof placement !== 'string';
