import type {ExperimentDefinition, Guard, Metric} from '../core/experiment.ts';
import type {ExperimentDocument, GuardDocument, MetricDocument} from './document-schema.ts';
import {durationText} from './duration.ts';

/**
 * The document that reads back as this definition, with every default written
 * out. It is what the experiments topic and the HTTP API carry, so a later change
 * of a default does not change a version that exists.
 */
export function toDocument(definition: ExperimentDefinition): ExperimentDocument {
  const {analysis} = definition;
  return {
    experiment: definition.experiment,
    hypothesis: definition.hypothesis,
    owner: definition.owner,
    design: definition.design,
    unit: definition.unit,
    variants: writtenVariants(definition),
    control: definition.control,
    fallback: definition.fallback,
    allocation: definition.allocation,
    layer: definition.layer,
    salt: definition.salt,
    targeting: Object.fromEntries(Object.entries(definition.targeting).map(([name, values]) => [name, [...values]])),
    overrides: definition.overrides.map(({kind, name}) => {
      if (kind === 'header') return {header: name};
      return kind === 'query' ? {query: name} : {session: name};
    }),
    sample_rate: definition.sampleRate,
    metrics: definition.metrics.map(writtenMetric),
    analysis: {
      alpha: analysis.alpha,
      correction: analysis.correction,
      look_every: durationText(analysis.lookEveryMs),
      min_n: analysis.minN,
      min_run: durationText(analysis.minRunMs),
      max_n: analysis.maxN,
      max_run: analysis.maxRunMs === null ? null : durationText(analysis.maxRunMs),
      pair_coverage_min: analysis.pairCoverageMin,
      srm_alpha: analysis.srmAlpha,
      crossover_max: analysis.crossoverMax,
      tuning_n: analysis.tuningN,
    },
    guards: definition.guards.map(writtenGuard),
    ...(definition.health === undefined ? {} : {health: definition.health.map(one => ({...one}))}),
    canary: definition.canary as ExperimentDocument['canary'] ?? null,
    lifecycle: definition.lifecycle,
  };
}

/** A map is nicer to read, but moves whole-number keys to its front; then a list. */
function writtenVariants({variants, hasWeights}: ExperimentDefinition): ExperimentDocument['variants'] {
  if (!hasWeights) return variants.map(({key}) => key);
  if (variants.some(({key}) => /^\d+$/.test(key) || key === '__proto__')) return variants.map(({key, weight}) => ({key, weight}));
  return Object.fromEntries(variants.map(({key, weight}) => [key, weight]));
}

function writtenGuard(guard: Guard): GuardDocument {
  const {kind, metric, tolerate, referenceMs, sigmas, recoveryMs} = guard;
  return {
    ...(kind === undefined ? {} : {kind}),
    ...(kind === 'health' ? {} : kind === 'drift' ? {measure: metric} : {metric}),
    window: durationText(guard.windowMs),
    above: guard.above,
    below: guard.below,
    min_n: guard.minN,
    action: guard.action,
    ...(tolerate === undefined ? {} : {tolerate: {...tolerate}}),
    ...(referenceMs === undefined ? {} : {reference: referenceMs === null ? 'control' : durationText(referenceMs)}),
    ...(sigmas === undefined ? {} : {sigmas}),
    ...(recoveryMs === undefined ? {} : {recovery: durationText(recoveryMs)}),
  };
}

function writtenMetric(metric: Metric): MetricDocument {
  return {
    key: metric.key,
    aggregate: metric.aggregate,
    ...(metric.measure === '' ? {} : {measure: metric.measure}),
    ...(metric.status.length === 0 ? {} : {status: [...metric.status]}),
    ...(metric.numerator === '' ? {} : {numerator: metric.numerator}),
    ...(metric.denominator === '' ? {} : {denominator: metric.denominator}),
    role: metric.role,
    direction: metric.direction,
    min_effect: metric.minEffect,
    tolerance: metric.tolerance,
    scale: metric.scale,
    attribution: durationText(metric.attributionMs),
    dimensions: [...metric.dimensions],
    ...(metric.winsorise === undefined ? {} : {winsorise: [metric.winsorise[0], metric.winsorise[1]]}),
  };
}
