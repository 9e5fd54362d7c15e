import {AssayError} from '../core/errors.ts';
import type {ExperimentDefinition} from '../core/experiment.ts';

/** Gives a variant another weight at the cost (or to the good) of one other; everybody else keeps theirs. */
export function moveWeight(definition: ExperimentDefinition, {variant, to, partner}: {readonly variant: string; readonly to: number; readonly partner: string}): ExperimentDefinition {
  const weightOf = (key: string): number => definition.variants.find(other => other.key === key)?.weight ?? 0;
  const rest = weightOf(partner) + weightOf(variant) - to;
  if (rest < 0) {
    throw new AssayError('ASSAY_EXPERIMENT_INVALID', `experiment ${definition.experiment}: ${partner} has too little weight to give ${variant} ${to}`);
  }
  const variants = definition.variants.map(one => (one.key === variant ? {...one, weight: to} : one.key === partner ? {...one, weight: rest} : one));
  return {...definition, variants};
}

export const totalWeight = ({variants}: ExperimentDefinition): number => variants.reduce((sum, {weight}) => sum + weight, 0);
export const weightOf = ({variants}: ExperimentDefinition, key: string): number => variants.find(variant => variant.key === key)?.weight ?? 0;

/** Where the weight of a variant goes that is cut off: to the fallback, or to control when it is the fallback. */
export const refugeOf = ({fallback, control}: ExperimentDefinition, variant: string): string => (fallback === variant ? control : fallback);
