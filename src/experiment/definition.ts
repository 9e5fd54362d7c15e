import {LineCounter, parseDocument} from 'yaml';
import type {z} from 'zod';
import {AssayError, messageOf} from '../core/errors.ts';
import {SCALE_DEFAULT} from '../core/exact.ts';
import type {AnalysisSettings, ExperimentDefinition, Guard, Metric} from '../core/experiment.ts';
import {checkDocument, type SoundParts, variantList} from './check-document.ts';
import {type AnalysisDocument, DOCUMENT, type ExperimentDocument, type GuardDocument, type MetricDocument} from './document-schema.ts';
import {parseDuration} from './duration.ts';
import {type Problem, problemText, toProblems} from './problems.ts';

export type ParsedDefinition =
  | {readonly ok: true; readonly definition: ExperimentDefinition}
  | {readonly ok: false; readonly problems: readonly Problem[]};

const ATTRIBUTION_DEFAULT_MS = 7 * 86_400_000;
const GUARD_MIN_N_DEFAULT = 50;
export const ANALYSIS_DEFAULTS: AnalysisSettings = {
  alpha: 0.05,
  correction: 'holm',
  lookEveryMs: 60_000,
  minN: 200,
  minRunMs: 0,
  maxN: null,
  maxRunMs: null,
  pairCoverageMin: 0.8,
  srmAlpha: 0.001,
  crossoverMax: 0.01,
  tuningN: 5_000,
};

/**
 * Checks a document (from YAML, JSON or an API) and fills in the defaults. All
 * problems come at once. Unknown keys are problems, too, unless told otherwise.
 */
export function parseDefinition(input: unknown, options: {readonly ignoreUnknownKeys?: boolean} = {}): ParsedDefinition {
  let parsed = DOCUMENT.safeParse(input);
  if (!parsed.success && options.ignoreUnknownKeys === true) parsed = DOCUMENT.safeParse(withoutUnknownKeys(input, parsed.error.issues));
  const problems = parsed.success ? [] : toProblems(parsed.error.issues, input, schemaKeys);
  problems.push(...checkDocument(parsed.success ? parsed.data : soundParts(input, problems), writtenMetricKeys(input)));
  return parsed.success && problems.length === 0 ? {ok: true, definition: fill(parsed.data)} : {ok: false, problems};
}

/** As {@link parseDefinition}, from YAML or JSON text. Problems of the text itself name line and column. */
export function parseDefinitionText(text: string): ParsedDefinition {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {lineCounter, prettyErrors: false, uniqueKeys: true});
  if (document.errors.length > 0) {
    const problems = document.errors.map(error => {
      const {line, col} = lineCounter.linePos(error.pos[0]);
      return {path: '', message: `line ${line}, column ${col}: ${messageOf(error)}`};
    });
    return {ok: false, problems};
  }
  try {
    return parseDefinition(document.toJS({maxAliasCount: 20}));
  } catch (error) {
    return {ok: false, problems: [{path: '', message: messageOf(error)}]};
  }
}

/** @throws AssayError ASSAY_EXPERIMENT_INVALID listing every problem. */
export function requireDefinition(parsed: ParsedDefinition, what = 'the experiment'): ExperimentDefinition {
  if (parsed.ok) return parsed.definition;
  const list = parsed.problems.map(problem => `\n- ${problemText(problem)}`).join('');
  throw new AssayError('ASSAY_EXPERIMENT_INVALID', `${what} has ${parsed.problems.length} problem(s):${list}`);
}

function withoutUnknownKeys(input: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const copy = structuredClone(input);
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    const holder = issue.path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown>)[part], copy);
    for (const key of issue.keys) delete (holder as Record<string, unknown>)[key];
  }
  return copy;
}

function fill(document: ExperimentDocument): ExperimentDefinition {
  const {variants, hasWeights} = variantList(document.variants);
  return {
    experiment: document.experiment,
    hypothesis: document.hypothesis ?? '',
    owner: document.owner ?? '',
    design: document.design ?? 'split',
    unit: document.unit ?? 'user',
    variants,
    hasWeights,
    control: document.control,
    fallback: document.fallback ?? document.control,
    allocation: document.allocation ?? 1,
    layer: document.layer ?? null,
    salt: document.salt ?? document.experiment,
    targeting: Object.fromEntries(
      Object.entries(document.targeting ?? {}).map(([name, values]) => [name, [values].flat().map(String)]),
    ),
    overrides: (document.overrides ?? []).map(override => {
      if ('header' in override) return {kind: 'header', name: override.header};
      return 'query' in override ? {kind: 'query', name: override.query} : {kind: 'session', name: override.session};
    }),
    sampleRate: document.sample_rate ?? 1,
    metrics: (document.metrics ?? []).map(fillMetric),
    analysis: fillAnalysis(document.analysis ?? {}),
    guards: (document.guards ?? []).map(fillGuard),
    ...(document.health === undefined ? {} : {health: document.health.map(({weight = 1, ...one}) => ({...one, weight}))}),
    canary: document.canary ?? null,
    lifecycle: document.lifecycle ?? 'draft',
  };
}

/** A metric with its defaults: role diagnostic, direction higher, scale 9, attribution 7 d. */
export function fillMetric(metric: MetricDocument): Metric {
  const aggregate = metric.aggregate ?? 'mean';
  return {
    key: metric.key,
    aggregate,
    measure: aggregate === 'share' || aggregate === 'ratio' ? '' : (metric.measure ?? metric.key),
    status: metric.status ?? [],
    numerator: metric.numerator ?? '',
    denominator: metric.denominator ?? '',
    role: metric.role ?? 'diagnostic',
    direction: metric.direction ?? 'higher',
    minEffect: metric.min_effect ?? 0,
    tolerance: metric.tolerance ?? 0,
    scale: metric.scale ?? SCALE_DEFAULT,
    attributionMs: msOf(metric.attribution, ATTRIBUTION_DEFAULT_MS),
    dimensions: metric.dimensions ?? [],
    ...(metric.winsorise === undefined ? {} : {winsorise: metric.winsorise}),
  };
}

/** Beyond this distance a distribution has drifted, and below this score a variant is critical. */
const DRIFT_DEFAULT = 0.15;
const HEALTH_DEFAULT = 0.7;

function fillGuard(guard: GuardDocument): Guard {
  const {kind = 'window', reference = 'control'} = guard;
  return {
    ...(kind === 'window' ? {} : {kind}),
    metric: guard.metric ?? guard.measure ?? '',
    windowMs: msOf(guard.window, 0),
    above: guard.above ?? (kind === 'drift' ? DRIFT_DEFAULT : null),
    below: guard.below ?? (kind === 'health' ? HEALTH_DEFAULT : null),
    minN: guard.min_n ?? GUARD_MIN_N_DEFAULT,
    action: guard.action ?? 'alert',
    ...(guard.tolerate === undefined ? {} : {tolerate: guard.tolerate}),
    ...(kind === 'drift' ? {referenceMs: reference === 'control' ? null : msOf(reference, 0)} : {}),
    ...(guard.sigmas === undefined ? {} : {sigmas: guard.sigmas}),
    ...(guard.recovery === undefined ? {} : {recoveryMs: msOf(guard.recovery, 0)}),
  };
}

function fillAnalysis(analysis: AnalysisDocument): AnalysisSettings {
  const otherwise = ANALYSIS_DEFAULTS;
  return {
    alpha: analysis.alpha ?? otherwise.alpha,
    correction: analysis.correction ?? otherwise.correction,
    lookEveryMs: msOf(analysis.look_every, otherwise.lookEveryMs),
    minN: analysis.min_n ?? otherwise.minN,
    minRunMs: msOf(analysis.min_run, otherwise.minRunMs),
    maxN: analysis.max_n ?? null,
    maxRunMs: analysis.max_run === undefined || analysis.max_run === null ? null : msOf(analysis.max_run, 0),
    pairCoverageMin: analysis.pair_coverage_min ?? otherwise.pairCoverageMin,
    srmAlpha: analysis.srm_alpha ?? otherwise.srmAlpha,
    crossoverMax: analysis.crossover_max ?? otherwise.crossoverMax,
    tuningN: analysis.tuning_n ?? otherwise.tuningN,
  };
}

const msOf = (duration: string | undefined, otherwise: number): number =>
  duration === undefined ? otherwise : (parseDuration(duration) ?? otherwise);

/** The parts without a problem, so that the rules between fields are told in the same breath. */
function soundParts(input: unknown, problems: readonly Problem[]): SoundParts {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return {};
  const isSound = (path: string): boolean =>
    !problems.some(problem => problem.path === path || problem.path.startsWith(`${path}.`) || problem.path.startsWith(`${path}[`));
  const parts = Object.entries(input).flatMap(([key, value]): [string, unknown][] => {
    if (isSound(key)) return [[key, value]];
    if (key === 'variants' && isPlainMap(value)) {
      // Their names are known, so what refers to them can still be judged.
      return [[key, Object.fromEntries(Object.entries(value).map(([name, weight]) => [name, isSound(`variants.${name}`) ? weight : 1]))]];
    }
    if (key !== 'metrics' || !Array.isArray(value)) return [];
    // A placeholder keeps the positions of the others right.
    return [[key, value.map((metric, index) => (isSound(`metrics[${index}]`) ? metric : {key: `#${index}`}))]];
  });
  return Object.fromEntries(parts.filter(([key]) => key in DOCUMENT.shape)) as SoundParts;
}

const isPlainMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function writtenMetricKeys(input: unknown): string[] | undefined {
  const metrics = typeof input === 'object' && input !== null ? (input as {metrics?: unknown}).metrics : undefined;
  if (metrics === undefined) return [];
  if (!Array.isArray(metrics)) return undefined;
  return metrics.flatMap(metric => (typeof metric?.key === 'string' ? [metric.key] : []));
}

/** The keys a map at this path may have. */
function schemaKeys(path: readonly PropertyKey[]): string[] {
  let schema: unknown = DOCUMENT;
  for (const part of path) schema = stepInto(schema, part);
  return Object.keys((bare(schema) as {shape?: object}).shape ?? {});
}

function stepInto(schema: unknown, part: PropertyKey): unknown {
  const inner = bare(schema) as {shape?: Record<PropertyKey, unknown>; element?: unknown};
  return typeof part === 'number' ? inner.element : inner.shape?.[part];
}

/** Unwraps `optional` and `nullable`. */
function bare(schema: unknown): unknown {
  let current = schema as {unwrap?: () => unknown; element?: unknown} | undefined;
  while (current?.unwrap !== undefined && current.element === undefined) current = current.unwrap() as typeof current;
  return current ?? {};
}
