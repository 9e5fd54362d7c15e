import type {Design, Direction, ExperimentDefinition} from '../core/experiment.ts';
import {ANALYSIS_DEFAULTS, fillMetric} from './definition.ts';

/** A measure seen in an import; higher is better unless told. */
export type DraftMeasure = string | {readonly key: string; readonly direction: Direction};

/** What an import knows of the experiment it brings. */
export type Draft = {
  readonly experiment: string;
  readonly design: Design;
  readonly variants: readonly string[];
  readonly control: string;
  /** variant → weight; null when unknown (SRM is then not computable). */
  readonly weights: Readonly<Record<string, number>> | null;
  readonly measures: readonly DraftMeasure[];
};

/** The definition of an experiment seen only through an import: the mean of each measure, as a goal. */
export function draftDefinition(draft: Draft): ExperimentDefinition {
  const {experiment, design, control, weights, measures} = draft;
  return {
    experiment,
    hypothesis: '',
    owner: '',
    design,
    unit: 'user',
    variants: draft.variants.map(key => ({key, weight: weights === null ? 1 : (weights[key] ?? 0)})),
    hasWeights: weights !== null,
    control,
    fallback: control,
    allocation: 1,
    layer: null,
    salt: experiment,
    targeting: {},
    overrides: [],
    sampleRate: 1,
    metrics: measures.map(measure => {
      const {key, direction} = typeof measure === 'string' ? {key: measure, direction: 'higher' as const} : measure;
      return fillMetric({key, measure: key, aggregate: 'mean', role: 'goal', direction});
    }),
    analysis: ANALYSIS_DEFAULTS,
    guards: [],
    canary: null,
    lifecycle: 'draft',
  };
}

/**
 * A draft after another import of the same experiment: the union of variants and
 * metrics, what was there first staying as it was. The very same object when the
 * new one adds nothing, so that nothing needs to be published.
 */
export function mergeDraft(old: ExperimentDefinition, added: ExperimentDefinition): ExperimentDefinition {
  const variants = added.variants.filter(({key}) => !old.variants.some(known => known.key === key));
  const metrics = added.metrics.filter(({key}) => !old.metrics.some(known => known.key === key));
  if (variants.length === 0 && metrics.length === 0) return old;
  return {
    ...old,
    variants: [...old.variants, ...variants],
    // Known weights of some variants say nothing about the split of all.
    hasWeights: variants.length === 0 ? old.hasWeights : old.hasWeights && added.hasWeights,
    metrics: [...old.metrics, ...metrics],
  };
}
