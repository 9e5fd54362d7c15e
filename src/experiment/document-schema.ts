import {z} from 'zod';
import {VARIANTS_MAX} from '../assign/slots.ts';
import {SCALE_DEFAULT, SCALE_MAX} from '../core/exact.ts';
import {DURATION_PATTERN} from './duration.ts';

/**
 * The shape of a definition as people write it. This is the source of
 * `schemas/experiment.schema.json`; what a shape cannot say (control is one of
 * the variants, …) is in `check-document.ts`.
 */

export const METRICS_MAX = 100;
export const GUARDS_MAX = 20;
const DIMENSIONS_MAX = 8;

const words = (max: number) => z.string().max(max);
/** A name that shows up in results: printable, no space at its ends. */
const name = z.string().min(1).max(128).regex(/^(?!__proto__$)[^\s\p{C}]([^\p{C}]*[^\s\p{C}])?$/u);
/** Part of topics, paths and file names, so plainer. */
const key = z.string().min(1).max(128).regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/);
const duration = z.string().regex(new RegExp(DURATION_PATTERN)).describe('A whole number and ms, s, m, h or d: 60s, 10m, 7d.');
const positive = z.number().int().min(1).max(1e12);
const weight = z.number().min(0).max(1e9);
const scalar = z.union([z.string(), z.number(), z.boolean()]);

const metric = z.strictObject({
  key: name,
  aggregate: z.enum(['mean', 'total', 'conversion', 'share', 'ratio', 'p50', 'p95', 'p99']).optional().describe('Default: mean.'),
  measure: name.optional().describe('Default: the key. Not for share and ratio.'),
  status: z.array(z.enum(['ok', 'client_error', 'server_error', 'timeout'])).min(1).optional().describe('Only for share.'),
  numerator: name.optional().describe('Only for ratio.'),
  denominator: name.optional().describe('Only for ratio.'),
  role: z.enum(['goal', 'guardrail', 'diagnostic']).optional().describe('Default: diagnostic.'),
  direction: z.enum(['higher', 'lower']).optional().describe('Which is better. Required for goals and guardrails.'),
  min_effect: z.number().min(0).max(1e15).optional().describe('Absolute effect below which a difference does not matter. Default: 0.'),
  tolerance: z.number().min(0).max(1e15).optional().describe('How far it may move to the harmful side. Default: 0.'),
  scale: z.number().int().min(0).max(SCALE_MAX).optional().describe(`Decimal digits kept in exact sums. Default: ${SCALE_DEFAULT}.`),
  attribution: duration.optional().describe('How long outcomes count after the next phase began. Default: 7d.'),
  dimensions: z.array(name).max(DIMENSIONS_MAX).optional().describe('Attributes by which slices are also kept.'),
  winsorise: z
    .tuple([z.number().min(0).max(1), z.number().min(0).max(1)])
    .optional()
    .describe('Only for mean in a split: the verdict compares the means of units after they were clamped to these two pooled quantiles, like [0.01, 0.99].'),
});

const bound = {
  above: z.number().nullable().optional(),
  below: z.number().nullable().optional(),
};

const tolerate = z
  .union([z.strictObject({relative: z.number().gt(0).max(100)}), z.strictObject({absolute: z.number().gt(0).max(1e15)})])
  .describe('kind compare: how far the variant may be on the harmful side of control, as a share of control or in the metric’s unit.');

const guard = z.strictObject({
  kind: z.enum(['window', 'compare', 'health', 'drift']).optional().describe('Default: window, a metric against bounds. compare: against control. health: the health score. drift: the distance of a measure’s distribution from its reference.'),
  metric: name.optional().describe('For window and compare.'),
  measure: name.optional().describe('For drift.'),
  window: duration,
  ...bound,
  min_n: positive.optional().describe('Outcomes a window needs before the guard may act. Default: 50.'),
  action: z.enum(['alert', 'pause', 'roll_back']).optional().describe('Default: alert.'),
  tolerate: tolerate.optional(),
  reference: z.union([z.literal('control'), duration]).optional().describe('For drift: control in the same window, or this much time before it. Default: control.'),
  sigmas: z.number().gt(0).max(20).optional().describe('window: raises the threshold to mean + sigmas·sd of the earlier windows. compare, health: standard errors left to noise, 4 unless given.'),
  recovery: duration.optional().describe('Until a variant rolled back is tried again, doubled after each failed try. Default: 1m.'),
});

const canary = z.strictObject({
  variant: name,
  steps: z.array(z.number().gt(0).max(100)).min(1).max(20).describe('Percent of units, rising.'),
  hold: duration,
  gates: z.array(z.strictObject({metric: name, ...bound, min_n: positive.optional().describe('Outcomes a gate needs before it says anything. Default: 50.')})).max(20).optional(),
});

const health = z.strictObject({
  metric: name,
  best: z.number().describe('The value that counts 1.'),
  worst: z.number().describe('The value that counts 0.'),
  weight: z.number().gt(0).max(1e9).optional().describe('Default: 1.'),
});

const analysis = z.strictObject({
  alpha: z.number().gt(0).max(0.5).optional().describe('Default: 0.05.'),
  correction: z.enum(['holm', 'bh', 'none']).optional().describe('Default: holm.'),
  look_every: duration.optional().describe('How often verdicts are computed. Default: 1m, or what `analysis.every_ms` of the server says.'),
  min_n: positive.optional().describe('Units per arm before anything is decided. Default: 200.'),
  min_run: duration.optional().describe('Default: 0ms.'),
  max_n: positive.nullable().optional(),
  max_run: duration.nullable().optional(),
  pair_coverage_min: z.number().min(0).max(1).optional().describe('Default: 0.8.'),
  srm_alpha: z.number().gt(0).max(0.5).optional().describe('Default: 0.001.'),
  crossover_max: z.number().min(0).max(1).optional().describe('Share of units that may cross over. Default: 0.01.'),
  tuning_n: positive.optional().describe('Sample size at which the confidence sequence is tightest. Default: 5000.'),
});

export const DOCUMENT = z.strictObject({
  experiment: key,
  hypothesis: words(4_000).optional(),
  owner: words(256).optional(),
  design: z.enum(['split', 'paired']).optional().describe('Default: split.'),
  unit: words(64).optional().describe('What unit_id holds. Default: user.'),
  variants: z
    .union([
      z.record(name, weight),
      z.array(z.strictObject({key: name, weight})).min(1).max(VARIANTS_MAX),
      z.array(name).min(1).max(VARIANTS_MAX),
    ])
    .describe('variant: weight, or a list of {key, weight}, or (weights unknown) a list of keys.'),
  control: name.describe('The baseline variant.'),
  fallback: name.optional().describe('Served when anything is wrong. Default: control.'),
  allocation: z.number().gt(0).max(1).optional().describe('Share of units in the experiment. Default: 1.'),
  layer: key.nullable().optional().describe('Experiments of one layer share no unit.'),
  salt: name.optional().describe('Default: the experiment.'),
  targeting: z.record(name, z.union([scalar, z.array(scalar).min(1).max(200)])).optional(),
  overrides: z
    .array(
      z.union([z.strictObject({header: name}), z.strictObject({query: name}), z.strictObject({session: name})]),
    )
    .max(20)
    .optional(),
  sample_rate: z.number().gt(0).max(1).optional().describe('Share of units whose events are sent. Default: 1.'),
  metrics: z.array(metric).max(METRICS_MAX).optional(),
  analysis: analysis.optional(),
  guards: z.array(guard).max(GUARDS_MAX).optional(),
  health: z.array(health).max(METRICS_MAX).optional().describe('What the health score is made of.'),
  canary: canary.nullable().optional(),
  lifecycle: z.enum(['draft', 'running', 'paused', 'concluded', 'archived']).optional().describe('Default: draft.'),
});

export type ExperimentDocument = z.infer<typeof DOCUMENT>;
export type MetricDocument = z.infer<typeof metric>;
export type GuardDocument = z.infer<typeof guard>;
export type AnalysisDocument = z.infer<typeof analysis>;

/** The published JSON Schema (draft 2020-12) of the document. */
export function documentJsonSchema(): unknown {
  const schema = z.toJSONSchema(DOCUMENT, {io: 'input'});
  return {
    $id: 'urn:assay:experiment-definition:v1',
    title: 'Assay experiment definition',
    description: 'What an author writes in YAML or JSON. Rules between fields are checked by `assay experiments check`.',
    ...schema,
  };
}
