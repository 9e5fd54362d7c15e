import {digestOf} from '../core/canonical-json.ts';
import type {AnalysisSettings, ExperimentView, Metric} from '../core/experiment.ts';
import type {EpochMs} from '../core/units.ts';
import type {Calibration, Decision, HealthEvidence, Verdict} from '../core/verdict.ts';
import {analysisEvidence} from './analysis-evidence.ts';
import {armEvidence} from './arms.ts';
import {calibrate} from './calibrate.ts';
import {type Comparison, compareArms} from './compare.ts';
import {decide, type DecisionResult} from './decide.ts';
import {checkHealth, healthFailures} from './health.ts';
import {type AnalysisInputs, isWeighted, type MetricInputs, totalsOf, treatmentsOf} from './inputs.ts';
import {adjustedPValues, correctedAlpha} from './multiple.ts';
import {type ReasonCode, reasonOf} from './reasons.ts';
import {type Sequential, sequentialOf} from './sequential.ts';

/** What surrounds the inputs: who computed it when, and what was decided before. */
export type VerdictContext = {
  readonly createdAt: EpochMs;
  readonly versions: Verdict['versions'];
  readonly audit: Verdict['audit'];
  /** The decision of the newest stored verdict of the same metric × variant; null without one. */
  readonly previousDecision: (metric: string, variant: string) => Decision | null;
  /** A calibration of the metric that still stands; none unless given. */
  readonly calibration?: (metric: string) => Calibration | null;
};

/** One metric of one treatment on its way to a row. */
export type Candidate = {
  readonly inputs: MetricInputs;
  readonly variant: string;
  readonly comparison: Comparison;
  readonly sequential: Sequential;
};

/** Pure: the rows of one experiment, one per metric × treatment, in written order. The same inputs give the same bytes. */
export function buildVerdicts(inputs: AnalysisInputs, context: VerdictContext): Verdict[] {
  const {view} = inputs.scope;
  const {settings, alphaCorrected} = settingsOf(view);
  const health = healthOf(inputs, context.audit);
  const candidates = treatmentsOf(view).flatMap(variant =>
    inputs.metrics.map(metric => candidateOf(metric, variant, {view, settings, alphaCorrected})),
  );
  const adjusted = adjustedPValues(
    candidates.map(({inputs: {metric}, comparison}) => ({role: metric.role, pValue: comparison.primary.evidence.p_value ?? null})),
    settings.correction,
  );
  const decisions = new Map(
    treatmentsOf(view).map(variant => [variant, decisionOf(inputs, variant, {health, candidates})]),
  );
  return candidates.map((candidate, index) => {
    const decision = decisions.get(candidate.variant) ?? {decision: 'no_data', reasons: []};
    return rowOf(candidate, {inputs, context, health, decision, alphaCorrected, pValueAdjusted: adjusted[index] ?? null});
  });
}

type Settings = {readonly view: ExperimentView; readonly settings: AnalysisSettings; readonly alphaCorrected: number};

function settingsOf(view: ExperimentView): Settings {
  const settings = view.definition.analysis;
  const goals = view.definition.metrics.filter(metric => metric.role === 'goal').length;
  return {view, settings, alphaCorrected: correctedAlpha(settings, {goals, treatments: treatmentsOf(view).length})};
}

function candidateOf(inputs: MetricInputs, variant: string, {view, settings, alphaCorrected}: Settings): Candidate {
  const {control, design} = view.definition;
  const comparison = compareArms({inputs, design, control, variant, settings});
  const {minN, tuningN} = settings;
  return {inputs, variant, comparison, sequential: sequentialOf(comparison.primary, {alpha: alphaCorrected, minN, tuningN})};
}

function healthOf({scope, exposures}: AnalysisInputs, audit: Verdict['audit']): HealthEvidence {
  const {definition, phases} = scope.view;
  const weights = phases.find(span => span.phase === scope.phase)?.weights ?? null;
  return checkHealth({
    design: definition.design,
    variants: definition.variants.map(variant => variant.key),
    exposures,
    weights: definition.hasWeights ? weights : null,
    srmAlpha: definition.analysis.srmAlpha,
    crossoverMax: definition.analysis.crossoverMax,
    audit,
  });
}

type OneTreatment = {readonly health: HealthEvidence; readonly candidates: readonly Candidate[]};

function decisionOf(inputs: AnalysisInputs, variant: string, {health, candidates}: OneTreatment): DecisionResult {
  const {control, analysis, lifecycle} = inputs.scope.view.definition;
  const mine = candidates.filter(candidate => candidate.variant === variant);
  const emptyArms = (['control', 'variant'] as const).filter(arm => !hasData(inputs, arm === 'control' ? control : variant));
  return decide({
    emptyArms,
    healthFailures: healthFailures(health),
    metrics: mine.map(({inputs: {metric}, comparison, sequential}) => ({
      ...metric,
      n: sequential.nSmaller,
      effect: comparison.primary.effect,
      interval: sequential.interval,
    })),
    settings: analysis,
    lifecycle,
    runMs: runMsOf(inputs, [control, variant]),
  });
}

/** An arm has data when a metric has an outcome in it, or counts units without one as zeros. */
function hasData({metrics}: AnalysisInputs, variant: string): boolean {
  return metrics.some(metric => {
    const {outcomes, units} = totalsOf(metric, variant);
    const countsUnits = metric.metric.aggregate === 'total' || metric.metric.aggregate === 'conversion';
    return outcomes > 0 || (countsUnits && units > 0);
  });
}

/** From the first outcome of the arms to the cut. */
function runMsOf({metrics, scope}: AnalysisInputs, arms: readonly string[]): number | null {
  const starts = metrics.flatMap(metric => arms.flatMap(arm => totalsOf(metric, arm).eventFrom ?? []));
  return starts.length === 0 ? null : Math.max(0, scope.cut - Math.min(...starts));
}

type RowParts = {
  readonly inputs: AnalysisInputs;
  readonly context: VerdictContext;
  readonly health: HealthEvidence;
  readonly decision: DecisionResult;
  readonly alphaCorrected: number;
  readonly pValueAdjusted: number | null;
};

/** Fields outside the digest. */
export type Starred = 'verdict_id' | 'created_at' | 'previous_decision' | 'audit' | 'windows_around' | 'calibration' | 'evidence_digest';
export type Evidence = Omit<Verdict, Starred>;

function rowOf(candidate: Candidate, parts: RowParts): Verdict {
  const {context} = parts;
  const evidence = evidenceOf(candidate, parts);
  const digest = digestOf(evidence);
  const createdAt = isoOf(context.createdAt);
  return {
    verdict_id: `vd_${digestOf(digest + createdAt).slice(0, 20)}`,
    created_at: createdAt,
    ...evidence,
    previous_decision: context.previousDecision(evidence.metric, evidence.variant),
    audit: context.audit,
    ...calibrationOf(candidate.inputs.metric, parts),
    evidence_digest: digest,
  };
}

/** Made at this look, or standing from an earlier one. */
function calibrationOf(metric: Metric, {inputs, context}: RowParts): Pick<Verdict, 'calibration'> {
  const {scope, relabelled} = inputs;
  const standing = context.calibration?.(metric.key) ?? null;
  if (relabelled === null || relabelled === undefined) return standing === null ? {} : {calibration: standing};
  return {calibration: calibrate({metric, relabelled, alpha: scope.view.definition.analysis.alpha, cut: scope.cut})};
}

function evidenceOf(candidate: Candidate, parts: RowParts): Evidence {
  const {inputs: {scope, exposures, offsets}, context, health, decision} = parts;
  const {inputs: metricInputs, variant, comparison, sequential} = candidate;
  const {definition} = scope.view;
  const {metric} = metricInputs;
  const arms = [definition.control, variant].map(key => totalsOf(metricInputs, key));
  return {
    stream: scope.stream,
    experiment: scope.view.experiment,
    config_version: scope.view.version,
    phase: scope.phase,
    design: definition.design,
    metric: metric.key,
    role: metric.role,
    aggregate: metric.aggregate,
    direction: metric.direction,
    control: definition.control,
    variant,
    ...primaryNumbers(comparison),
    p_value_adjusted: parts.pValueAdjusted,
    p_value_always_valid: sequential.pValue,
    cs_low: sequential.interval.status === 'ok' ? sequential.interval.low : null,
    cs_high: sequential.interval.status === 'ok' ? sequential.interval.high : null,
    pairs: comparison.pairs?.pairs ?? (definition.design === 'paired' ? 0 : null),
    pair_coverage: comparison.pairCoverage,
    srm_p_value: health.srm.p_value,
    decision: decision.decision,
    reasons: [...decision.reasons, ...rowReasons(comparison, {hasWeights: definition.hasWeights, isWeighted: isWeighted(arms)}).map(code => reasonOf(code))],
    arms: arms.map(arm => armEvidence(metricInputs, arm, {units: exposures.units[arm.variant] ?? arm.units, design: definition.design})),
    tests: comparison.tests,
    health,
    data_from: boundOf(arms.map(arm => arm.eventFrom), Math.min),
    data_to: boundOf(arms.map(arm => arm.eventTo), Math.max),
    cut: {arrival_ts: scope.cut, config_versions: {[scope.view.experiment]: scope.view.version}},
    offsets,
    outcomes_late: exposures.outcomesLate,
    outcomes_unattributed: exposures.outcomesUnattributed,
    sql: metricInputs.sql,
    analysis: analysisEvidence({
      scope,
      metric,
      sequential,
      alphaCorrected: parts.alphaCorrected,
      runMs: runMsOf(parts.inputs, [definition.control, variant]),
      arms,
    }),
    versions: context.versions,
  };
}

/** What the primary test says; without it the effect and the means alone. */
function primaryNumbers({primary}: Comparison) {
  const {evidence, control, variant, effect} = primary;
  // Over a control mean of (almost) 0 there is no relative effect.
  const relative = effect === null || control.mean === null ? Number.NaN : effect / Math.abs(control.mean);
  return {
    test: evidence.status === 'ok' ? evidence.test : null,
    n_control: control.n,
    n_variant: variant.n,
    mean_control: control.mean,
    mean_variant: variant.mean,
    sd_control: control.sd,
    sd_variant: variant.sd,
    effect_absolute: effect,
    effect_relative: Number.isFinite(relative) ? relative : null,
    ci_low: evidence.ci_low ?? null,
    ci_high: evidence.ci_high ?? null,
    p_value: evidence.p_value ?? null,
  };
}

/** A paired design has no split to check, so missing weights are not worth a word there. */
function rowReasons({pairs, reasons}: Comparison, of: {readonly hasWeights: boolean; readonly isWeighted: boolean}): ReasonCode[] {
  return [...reasons, ...(of.isWeighted ? (['rates_mixed'] as const) : []), ...(of.hasWeights || pairs !== null ? [] : (['srm_not_computable'] as const))];
}

function boundOf(times: readonly (EpochMs | null)[], pick: (...times: number[]) => number): string | null {
  const known = times.flatMap(time => time ?? []);
  return known.length === 0 ? null : isoOf(pick(...known));
}

function isoOf(at: number): string {
  return new Date(at).toISOString();
}
