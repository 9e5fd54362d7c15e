import {digestOf} from '../core/canonical-json.ts';
import type {ExperimentDefinition, Metric, PhaseSpan} from '../core/experiment.ts';
import {epochMs} from '../core/units.ts';
import type {Verdict} from '../core/verdict.ts';
import type {AnalysisScope, ArmTotals} from '../warehouse/warehouse.ts';
import {isWeighted} from './inputs.ts';
import {planOf} from './plan.ts';
import type {Sequential} from './sequential.ts';

export type AnalysisEvidenceInputs = {
  readonly scope: AnalysisScope;
  readonly metric: Metric;
  readonly sequential: Sequential;
  readonly alphaCorrected: number;
  /** From the first outcome of the arms to the cut. */
  readonly runMs: number | null;
  readonly arms: readonly ArmTotals[];
};

/** How the numbers of a row were made: settings, the metric's definition, phases and the always-valid interval's inputs. */
export function analysisEvidence({scope, metric, sequential, alphaCorrected, runMs, arms}: AnalysisEvidenceInputs): Verdict['analysis'] {
  const {definition, phases} = scope.view;
  const {analysis} = definition;
  return {
    alpha: analysis.alpha,
    // Fixed-horizon intervals are not corrected, always-valid ones are.
    ci_level: 1 - analysis.alpha,
    correction: analysis.correction,
    alpha_corrected: alphaCorrected,
    min_n: analysis.minN,
    min_run_ms: analysis.minRunMs,
    max_n: analysis.maxN,
    max_run_ms: analysis.maxRunMs,
    pair_coverage_min: analysis.pairCoverageMin,
    srm_alpha: analysis.srmAlpha,
    crossover_max: analysis.crossoverMax,
    tuning_n: analysis.tuningN,
    always_valid: {
      status: sequential.interval.status,
      reason: sequential.interval.status === 'ok' ? null : (sequential.interval.reason ?? null),
      n: sequential.n,
      n_smaller: sequential.nSmaller,
      standard_error: sequential.standardError,
      method: sequential.method,
    },
    plan: planOf({sequential, alpha: alphaCorrected, minEffect: metric.minEffect, runMs}),
    metric: {
      measure: metric.measure,
      status: metric.status,
      numerator: metric.numerator,
      denominator: metric.denominator,
      min_effect: metric.minEffect,
      tolerance: metric.tolerance,
      scale: metric.scale,
      attribution_ms: metric.attributionMs,
      ...(metric.winsorise === undefined ? {} : {winsorise: metric.winsorise}),
    },
    ...samplingOf(arms),
    lifecycle: definition.lifecycle,
    definition_digest: definitionDigest(definition),
    phases: phases.map(({phase, validFrom, validTo, weights}) => ({phase, valid_from: validFrom, valid_to: validTo, weights})),
  };
}

/** Said of sampled phases alone: with one rate weights cancel and the tests are plain, with several they are weighted. */
function samplingOf(arms: readonly ArmTotals[]): {sampling?: 'one_rate' | 'several_rates'} {
  if (arms.every(({sampling}) => sampling === undefined)) return {};
  return {sampling: isWeighted(arms) ? 'several_rates' : 'one_rate'};
}

export function definitionDigest(definition: ExperimentDefinition): string {
  return digestOf(definition);
}

/** The phases a stored row was computed with; null when the row holds none. */
export function storedPhases(analysis: Verdict['analysis']): PhaseSpan[] | null {
  const stored = analysis['phases'];
  if (!Array.isArray(stored)) return null;
  return stored.map((span: Record<string, unknown>) => ({
    phase: Number(span['phase']),
    validFrom: epochMs(Number(span['valid_from'])),
    validTo: typeof span['valid_to'] === 'number' ? epochMs(span['valid_to']) : null,
    weights: (span['weights'] ?? {}) as PhaseSpan['weights'],
  }));
}
