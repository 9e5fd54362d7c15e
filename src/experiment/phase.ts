import {canonicalJson} from '../core/canonical-json.ts';
import type {ExperimentDefinition} from '../core/experiment.ts';

/** What makes units meet other variants than before (DESIGN C2). */
const SPLIT: Readonly<Record<string, (definition: ExperimentDefinition) => unknown>> = {
  variants: ({variants}) => variants.map(({key}) => key).sort(),
  weights: ({variants, hasWeights}) => (hasWeights ? shares(variants) : null),
  allocation: ({allocation}) => allocation,
  salt: ({salt}) => salt,
  layer: ({layer}) => layer,
  targeting: ({targeting}) => Object.entries(targeting).map(([name, values]) => [name, [...values].sort()]).sort(),
  fallback: ({fallback}) => fallback,
  sample_rate: ({sampleRate}) => sampleRate,
};

/** 60/30/10 and 6/3/1 are one split. */
function shares(variants: ExperimentDefinition['variants']): unknown {
  const sum = variants.reduce((total, {weight}) => total + weight, 0);
  return Object.fromEntries(variants.map(({key, weight}) => [`=${key}`, Number((weight / sum).toPrecision(12))]));
}

/**
 * Why `to` starts the next phase: the parts of the split that changed, and
 * `resume`. Empty when it does not: an experiment that only ever was a draft has
 * met nobody, so its phase stays 1.
 */
export function phaseChanges(from: ExperimentDefinition, to: ExperimentDefinition): string[] {
  if (from.lifecycle === 'draft') return [];
  const changed = Object.entries(SPLIT).flatMap(([what, part]) =>
    canonicalJson(part(from)) === canonicalJson(part(to)) ? [] : [what],
  );
  if (from.lifecycle === 'paused' && to.lifecycle === 'running') changed.push('resume');
  return changed;
}
