import type {CanaryPlan, ExperimentDefinition} from '../core/experiment.ts';
import type {ExperimentDocument} from './document-schema.ts';
import {parseDuration} from './duration.ts';

const GATE_MIN_N = 50;

/** A definition's canary with its defaults; undefined without one. */
export function canaryPlanOf(definition: ExperimentDefinition): CanaryPlan | undefined {
  const canary = definition.canary as ExperimentDocument['canary'];
  if (canary === null || canary === undefined) return undefined;
  return {
    variant: canary.variant,
    steps: canary.steps,
    holdMs: parseDuration(canary.hold) ?? 0,
    gates: (canary.gates ?? []).map(({metric, above = null, below = null, min_n = GATE_MIN_N}) => ({metric, above, below, minN: min_n})),
  };
}
