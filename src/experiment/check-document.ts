import {VARIANTS_MAX} from '../assign/slots.ts';
import type {GuardKind} from '../core/experiment.ts';
import type {ExperimentDocument, GuardDocument, MetricDocument} from './document-schema.ts';
import {parseDuration} from './duration.ts';
import {didYouMean, kindOf, type Problem} from './problems.ts';

/** The parts of a document whose shape is right; the others are missing. */
export type SoundParts = Partial<ExperimentDocument>;

/** Keys that JavaScript would move to the front of a map, whatever was written. */
const INTEGER_KEY = /^(0|[1-9]\d{0,9})$/;

export type VariantList = {readonly variants: readonly {readonly key: string; readonly weight: number}[]; readonly hasWeights: boolean};

/** The three ways to write variants, as one. A list of bare keys has no weights; each counts 1. */
export function variantList(written: ExperimentDocument['variants']): VariantList {
  if (!Array.isArray(written)) {
    return {variants: Object.entries(written).map(([key, weight]) => ({key, weight})), hasWeights: true};
  }
  const variants = (written as (string | {key: string; weight: number})[]).map(item =>
    typeof item === 'string' ? {key: item, weight: 1} : item,
  );
  return {variants, hasWeights: written.some(item => typeof item !== 'string')};
}

/**
 * The rules between fields.
 * @param metricKeys the keys of all metrics written, also of those with a wrong shape, so that one mistake is told once
 */
export function checkDocument(parts: SoundParts, metricKeys: readonly string[] | undefined): Problem[] {
  return [
    ...checkVariants(parts),
    ...(parts.metrics ?? []).flatMap((metric, index) => [...checkMetric(metric, `metrics[${index}]`), ...checkWinsorise(metric, `metrics[${index}].winsorise`, parts.design)]),
    ...duplicates(metricKeys ?? []).map(key => ({path: 'metrics', message: `${JSON.stringify(key)} is there twice; give each metric a key of its own`})),
    ...checkGuards(parts, metricKeys),
    ...checkHealth(parts, metricKeys),
    ...checkCanary(parts, metricKeys),
    ...checkAnalysis(parts),
  ];
}

function checkVariants({variants: written, control, fallback, lifecycle = 'draft', design = 'split'}: SoundParts): Problem[] {
  if (written === undefined) return [];
  const problems: Problem[] = [];
  const add = (path: string, message: string): void => void problems.push({path, message});
  const {variants, hasWeights} = variantList(written);
  const keys = variants.map(({key}) => key);
  if (!Array.isArray(written) && keys.some(key => INTEGER_KEY.test(key))) {
    add('variants', `${keys.filter(key => INTEGER_KEY.test(key)).join(', ')}: a map does not keep the order of whole numbers; write a list of {key, weight}`);
  }
  for (const key of duplicates(keys)) add('variants', `${JSON.stringify(key)} is there twice; give each variant a key of its own`);
  if (keys.length > VARIANTS_MAX) add('variants', `${keys.length} variants; at most ${VARIANTS_MAX}`);
  if (keys.length === 0) add('variants', 'is empty; name the variants and their weights');
  if (lifecycle !== 'draft' && keys.length < 2) add('variants', `${keys.length} variant; an experiment that is not a draft compares at least 2`);
  if (keys.length > 0 && variants.every(({weight}) => weight === 0)) add('variants', 'all weights are 0; give at least one more');
  if (!hasWeights && design === 'split' && (lifecycle === 'running' || lifecycle === 'paused')) {
    add('variants', 'have no weights; a running split needs them, like {v1: 50, v2: 50}');
  }
  for (const [path, key] of [['control', control], ['fallback', fallback]] as const) {
    if (key === undefined || keys.includes(key)) continue;
    add(path, `${JSON.stringify(key)} is none of the variants ${keys.join(', ')}${didYouMean(key, keys)}`);
  }
  return problems;
}

function checkMetric(metric: MetricDocument, path: string): Problem[] {
  const problems: Problem[] = [];
  const aggregate = metric.aggregate ?? 'mean';
  const belongs: Readonly<Record<string, boolean>> = {
    measure: aggregate !== 'share' && aggregate !== 'ratio',
    status: aggregate === 'share',
    numerator: aggregate === 'ratio',
    denominator: aggregate === 'ratio',
  };
  for (const field of ['measure', 'status', 'numerator', 'denominator'] as const) {
    const value = metric[field];
    if (value !== undefined && belongs[field] === false) {
      problems.push({path: `${path}.${field}`, message: `got ${kindOf(value)}; a ${aggregate} has none, drop it or change aggregate`});
    }
    // A measure may be left out: it is then named like the metric.
    if (value === undefined && belongs[field] === true && field !== 'measure') {
      problems.push({path: `${path}.${field}`, message: `got nothing; a ${aggregate} needs it`});
    }
  }
  if ((metric.role === 'goal' || metric.role === 'guardrail') && metric.direction === undefined) {
    problems.push({path: `${path}.direction`, message: `got nothing; say whether higher or lower is better for this ${metric.role}`});
  }
  return problems;
}

function checkWinsorise({winsorise, aggregate = 'mean'}: MetricDocument, path: string, design: SoundParts['design']): Problem[] {
  if (winsorise === undefined) return [];
  const [lower, upper] = winsorise;
  if (aggregate !== 'mean') return [{path, message: `got ${kindOf(winsorise)}; a ${aggregate} has none, drop it or change aggregate to mean`}];
  if (design === 'paired') return [{path, message: `got ${kindOf(winsorise)}; a paired design compares items with themselves, drop it`}];
  if (lower >= upper) return [{path, message: `the lower quantile ${lower} is not below the upper ${upper}; write them like [0.01, 0.99]`}];
  return [];
}

function checkGuards(parts: SoundParts, metricKeys: readonly string[] | undefined): Problem[] {
  return (parts.guards ?? []).flatMap((guard, index) => {
    const path = `guards[${index}]`;
    return [
      ...checkGuardKind(guard, path, {parts, metricKeys}),
      ...checkPositive(guard.window, `${path}.window`),
      ...checkPositive(guard.recovery, `${path}.recovery`),
    ];
  });
}

type GuardField = 'metric' | 'measure' | 'tolerate' | 'reference' | 'above' | 'below' | 'sigmas';
const GUARD_FIELDS: Readonly<Record<GuardKind, {readonly needs: readonly GuardField[]; readonly may: readonly GuardField[]}>> = {
  window: {needs: ['metric'], may: ['above', 'below', 'sigmas']},
  compare: {needs: ['metric', 'tolerate'], may: ['sigmas']},
  health: {needs: [], may: ['below', 'sigmas']},
  drift: {needs: ['measure'], may: ['above', 'reference']},
};
/** Their windows can be compared between variants, with an error. */
const COMPARABLE: readonly MetricDocument['aggregate'][] = ['mean', 'share', 'p50', 'p95', 'p99'];

function checkGuardKind(guard: GuardDocument, path: string, {parts, metricKeys}: {readonly parts: SoundParts; readonly metricKeys: readonly string[] | undefined}): Problem[] {
  const {kind = 'window', metric, action = 'alert'} = guard;
  const problems: Problem[] = [];
  const {needs, may} = GUARD_FIELDS[kind];
  for (const field of ['metric', 'measure', 'tolerate', 'reference', 'above', 'below', 'sigmas'] as const) {
    const isWritten = guard[field] !== undefined && guard[field] !== null;
    if (!isWritten && needs.includes(field)) problems.push({path: `${path}.${field}`, message: `got nothing; a guard of kind ${kind} needs it`});
    if (isWritten && !needs.includes(field) && !may.includes(field)) problems.push({path: `${path}.${field}`, message: `got ${kindOf(guard[field])}; a guard of kind ${kind} has none, drop it or change kind`});
  }
  if (metric !== undefined) problems.push(...checkMetricName(metric, `${path}.metric`, metricKeys));
  if (kind === 'window') return [...problems, ...checkBound(guard, path)];
  if (action === 'alert') problems.push({path: `${path}.action`, message: `a guard of kind ${kind} acts: write pause or roll_back; for an alert alone write a rule`});
  if (kind === 'health' && (parts.health ?? []).length === 0) problems.push({path: `${path}.kind`, message: 'there is no health score; say under health which metrics it is made of'});
  const compared = parts.metrics?.find(({key}) => key === metric);
  if (kind === 'compare' && compared !== undefined && !COMPARABLE.includes(compared.aggregate ?? 'mean')) {
    problems.push({path: `${path}.metric`, message: `is a ${compared.aggregate}; compare takes ${COMPARABLE.join(', ')}`});
  }
  return problems;
}

function checkHealth({health = []}: SoundParts, metricKeys: readonly string[] | undefined): Problem[] {
  return [
    ...health.flatMap(({metric, best, worst}, index) => [
      ...checkMetricName(metric, `health[${index}].metric`, metricKeys),
      ...(best === worst ? [{path: `health[${index}]`, message: `best and worst are both ${best}; write the values that count 1 and 0`}] : []),
    ]),
    ...duplicates(health.map(({metric}) => metric)).map(metric => ({path: 'health', message: `${JSON.stringify(metric)} is there twice; give it one weight`})),
  ];
}

function checkCanary(parts: SoundParts, metricKeys: readonly string[] | undefined): Problem[] {
  const {canary, variants, control} = parts;
  if (canary === undefined || canary === null) return [];
  const problems = [...checkPositive(canary.hold, 'canary.hold')];
  const keys = variants === undefined ? undefined : variantList(variants).variants.map(({key}) => key);
  if (keys !== undefined && !keys.includes(canary.variant)) {
    problems.push({path: 'canary.variant', message: `${JSON.stringify(canary.variant)} is none of the variants ${keys.join(', ')}${didYouMean(canary.variant, keys)}`});
  }
  if (canary.variant === control) problems.push({path: 'canary.variant', message: 'is the control, at whose cost a canary grows; name a treatment'});
  if (canary.steps.some((step, index) => index > 0 && step <= (canary.steps[index - 1] ?? 0))) {
    problems.push({path: 'canary.steps', message: `${canary.steps.join(', ')} does not rise; write each step larger than the one before`});
  }
  for (const [index, gate] of (canary.gates ?? []).entries()) {
    problems.push(...checkMetricName(gate.metric, `canary.gates[${index}].metric`, metricKeys), ...checkBound(gate, `canary.gates[${index}]`));
  }
  return problems;
}

function checkAnalysis({analysis}: SoundParts): Problem[] {
  if (analysis === undefined) return [];
  const problems = checkPositive(analysis.look_every, 'analysis.look_every');
  const {min_run, max_run, min_n = 200, max_n} = analysis;
  const minRunMs = parseDuration(min_run ?? '0ms') ?? 0;
  const maxRunMs = max_run === undefined || max_run === null ? undefined : parseDuration(max_run);
  if (maxRunMs !== undefined && maxRunMs <= minRunMs) problems.push({path: 'analysis.max_run', message: `${max_run} is not longer than min_run ${min_run ?? '0ms'}`});
  if (max_n !== undefined && max_n !== null && max_n < min_n) problems.push({path: 'analysis.max_n', message: `${max_n} is below min_n ${min_n}`});
  return problems;
}

function checkMetricName(name: string, path: string, keys: readonly string[] | undefined): Problem[] {
  if (keys === undefined || keys.includes(name)) return [];
  const known = keys.length === 0 ? 'there are no metrics' : `the metrics are ${keys.join(', ')}`;
  return [{path, message: `${JSON.stringify(name)} is no metric; ${known}${didYouMean(name, keys)}`}];
}

function checkBound(bounds: {above?: number | null | undefined; below?: number | null | undefined}, path: string): Problem[] {
  const isSet = (bound: number | null | undefined): boolean => bound !== undefined && bound !== null;
  return isSet(bounds.above) || isSet(bounds.below) ? [] : [{path, message: 'has no bound; write above or below'}];
}

function checkPositive(duration: string | undefined, path: string): Problem[] {
  if (duration === undefined || (parseDuration(duration) ?? 1) > 0) return [];
  return [{path, message: `${duration} is no time at all; write more than 0`}];
}

function duplicates(keys: readonly string[]): string[] {
  return [...new Set(keys.filter((key, index) => keys.indexOf(key) !== index))];
}
