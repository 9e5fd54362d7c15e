import type {ExperimentView, Metric} from '../../core/experiment.ts';
import type {ExposureFact, OutcomeFact} from '../../core/facts.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';

export type Place = {readonly phase: number; readonly variant: string; readonly phaseEnd: EpochMs | null};
export type Placement = Place | 'crossover' | 'unattributed';

/**
 * DESIGN C2, said once more by plain loops: where an outcome belongs in one
 * experiment, given the exposures of its unit that count under the cut.
 */
export function placeOutcome(view: ExperimentView, outcome: OutcomeFact, exposures: readonly ExposureFact[]): Placement {
  if (view.definition.design === 'paired') return placePaired(view, outcome);
  const assigned = exposures.filter(e => e.experiment === view.experiment && e.reason === 'assigned');
  let phase = 0;
  for (const exposure of assigned) {
    if (exposure.eventTs <= outcome.eventTs && exposure.phase > phase) phase = exposure.phase;
  }
  if (phase === 0) return 'unattributed';
  const variants = new Set(assigned.filter(e => e.phase === phase).map(e => e.variant));
  const [variant] = variants;
  if (variants.size > 1 || variant === undefined) return 'crossover';
  return {phase, variant, phaseEnd: view.phases.find(span => span.phase === phase)?.validTo ?? null};
}

function placePaired(view: ExperimentView, outcome: OutcomeFact): Placement {
  const variant = outcome.variantHint[view.experiment];
  const span = view.phases.findLast(({validFrom}) => validFrom <= outcome.eventTs);
  const isKnown = view.definition.variants.some(({key}) => key === variant);
  if (variant === undefined || span === undefined || !isKnown) return 'unattributed';
  return {phase: span.phase, variant, phaseEnd: null};
}

/** Until the next phase's start + the metric's attribution time. */
export const countsFor = (metric: Metric, place: Place, eventTs: EpochMs): boolean =>
  place.phaseEnd === null || eventTs < epochMs(place.phaseEnd + metric.attributionMs);

/** [value, denominator] of one outcome for one metric; undefined when it has none. */
export function valuesOf(metric: Metric, outcome: OutcomeFact): readonly [value: number, denominator: number] | undefined {
  const measures: Record<string, number> = {
    outcomes: 1,
    success: outcome.status === 'ok' ? 1 : 0,
    ...outcome.measures,
  };
  if (metric.aggregate === 'share') return [metric.status.includes(outcome.status) ? 1 : 0, 0];
  if (metric.aggregate !== 'ratio') {
    const value = measures[metric.measure];
    return value === undefined ? undefined : [value + 0, 0];
  }
  const numerator = measures[metric.numerator];
  const denominator = measures[metric.denominator];
  if (numerator === undefined && denominator === undefined) return undefined;
  return [(numerator ?? 0) + 0, denominator ?? 0];
}
