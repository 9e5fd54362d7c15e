import type {OutcomeFact} from '../../core/facts.ts';
import {WEIGHT_ONE, weightOf} from '../../core/sampling.ts';
import {isPlaced, type ScopedFacts} from './scoped-outcomes.ts';

/** Weights of a scope's events, in millionths. */
export type EventWeights = {
  readonly low: number;
  readonly high: number;
  /** The least of a unit's exposures in the phase; undefined in paired experiments. */
  readonly exposed: ReadonlyMap<string, number>;
};

/** Over the outcomes of a phase, and in a split over the exposures of units that count. */
export function eventWeights(facts: ScopedFacts, {phase, isSplit}: {readonly phase: number; readonly isSplit: boolean}): EventWeights {
  const exposed = new Map<string, number>();
  const {crossover} = facts.arms(phase);
  for (const {unitId, reason, phase: of, sampleRate} of isSplit ? facts.exposures() : []) {
    if (reason !== 'assigned' || of !== phase || crossover.has(unitId)) continue;
    exposed.set(unitId, Math.min(weightOf(sampleRate), exposed.get(unitId) ?? Number.POSITIVE_INFINITY));
  }
  const ofOutcomes = facts.placed().flatMap(({outcome, placement}) => (isPlaced(placement) && placement.phase === phase ? [outcomeWeight(outcome, {exposed})] : []));
  const all = [...ofOutcomes, ...exposed.values()];
  if (all.length === 0) return {low: WEIGHT_ONE, high: WEIGHT_ONE, exposed};
  return {low: all.reduce((a, b) => Math.min(a, b)), high: all.reduce((a, b) => Math.max(a, b)), exposed};
}

/** An outcome counts only if its unit's exposure was sent, too. */
export const outcomeWeight = ({unitId, sampleRate}: OutcomeFact, {exposed}: Pick<EventWeights, 'exposed'>): number =>
  Math.max(weightOf(sampleRate), exposed.get(unitId) ?? 0);

export const isMixed = ({low, high}: EventWeights): boolean => low !== high;
