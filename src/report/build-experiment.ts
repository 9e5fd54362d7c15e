import type {ArmEvidence, Decision, Verdict, WindowsAround} from '../core/verdict.ts';
import {buildHealth, worstAudit} from './build-health.ts';
import {formatEffect, formatInterval, formatSignedShare} from './format.ts';
import {type ExperimentRows, groupBy} from './newest-rows.ts';
import {isAuditFailure, metricUnit, missingReason, pairsOf, readingOf, reasonText, toleranceOf} from './read-verdict.ts';
import type {ExperimentReport, MetricReport, TreatmentReport} from './report.ts';
import type {Texts} from './texts.ts';

/** Most urgent first: what somebody woken at night must act on. */
export const URGENCY: readonly Decision[] = ['roll_back', 'unhealthy', 'ship', 'no_data', 'inconclusive', 'keep_running'];

export const byUrgency = (a: {readonly decision: Decision}, b: {readonly decision: Decision}): number =>
  URGENCY.indexOf(a.decision) - URGENCY.indexOf(b.decision);

export type ExperimentOptions = {readonly texts: Texts; readonly publicUrl: string};

export function buildExperiment({stream, experiment, rows, supersededRows}: ExperimentRows, options: ExperimentOptions): ExperimentReport {
  const {texts} = options;
  const [first] = rows;
  const treatments = groupBy(rows, row => row.variant)
    .map(group => buildTreatment(group, texts))
    .sort(byUrgency);
  const audit = worstAudit(rows.map(row => row.audit));
  const coverages = rows.flatMap(row => (row.pair_coverage === null ? [] : [row.pair_coverage]));
  return {
    stream,
    experiment,
    phase: first.phase,
    config_version: first.config_version,
    design: first.design,
    control: first.control,
    decision: treatments[0]?.decision ?? 'no_data',
    headline: experimentHeadline(experiment, {treatments, doubt: auditDoubt(audit, texts)}, texts),
    treatments,
    health: buildHealth(rows, texts),
    metrics: groupBy(rows, row => row.metric).map(group => buildMetric(group, texts)),
    data_from: least(rows.flatMap(row => row.data_from ?? [])),
    data_to: greatest(rows.flatMap(row => row.data_to ?? [])),
    cut_arrival_ts: new Date(first.cut.arrival_ts).toISOString(),
    offsets: first.offsets,
    audit,
    outcomes_late: first.outcomes_late,
    outcomes_unattributed: first.outcomes_unattributed,
    pair_coverage: coverages.length === 0 ? null : Math.min(...coverages),
    analysis: first.analysis,
    versions: first.versions,
    rows_superseded: supersededRows,
    link: options.publicUrl === '' ? null : `${options.publicUrl.replace(/\/+$/, '')}/experiments/${encodeURIComponent(experiment)}`,
  };
}

function buildTreatment(rows: readonly Verdict[], texts: Texts): TreatmentReport {
  const [first] = rows;
  if (first === undefined) throw new Error('a treatment has at least one row');
  const {variant, decision, previous_decision: previous} = first;
  const reasons = [...new Set(rows.flatMap(row => row.reasons))].map(code => ({code, text: reasonText(code, texts)}));
  const because = becauseText(reasons, texts) || texts.why[decision];
  const evidence = evidenceText(rows, texts);
  const why = evidence === '' ? because : `${because} — ${evidence}`;
  return {
    variant,
    decision,
    previous_decision: previous,
    is_changed: previous !== decision,
    reasons,
    why,
    headline: texts.because(texts.act[decision](variant), why),
  };
}

/** Reasons that speak of one row's method and not of the decision. */
const ABOUT_ROWS: readonly string[] = ['pair_coverage_low', 'aggregate_not_paired', 'primary_not_computable', 'rates_mixed', 'srm_not_computable'];
const REASONS_SHOWN = 3;

/** The decision's first reasons: the line must be read in seconds. */
function becauseText(reasons: TreatmentReport['reasons'], texts: Texts): string {
  const deciding = reasons.filter(({code}) => !ABOUT_ROWS.includes(code));
  const shown = deciding.slice(0, REASONS_SHOWN).map(({text}) => text);
  const more = deciding.length - shown.length;
  return [...shown, ...(more > 0 ? [texts.moreReasons(more)] : [])].join(', ');
}

/** The number that carries the decision: the harmed metric, or the goal. */
function evidenceText(rows: readonly Verdict[], texts: Texts): string {
  const deciding = rows.filter(row => row.role !== 'diagnostic');
  const goal = deciding.find(row => row.role === 'goal' && row.effect_absolute !== null);
  const harmed = deciding.find(row => readingOf(row) === 'worse');
  const row = rows[0]?.decision === 'roll_back' ? (harmed ?? goal) : goal;
  if (row === undefined || row.effect_absolute === null) return '';
  const unit = metricUnit(row);
  const relative = row.effect_relative === null || unit.isShare ? '' : ` (${formatSignedShare(row.effect_relative)})`;
  return texts.evidenceSentence({
    metric: row.metric,
    effect: `${formatEffect(row.effect_absolute, unit)}${relative}`,
    interval: row.cs_low === null || row.cs_high === null ? '' : formatInterval([row.cs_low, row.cs_high], unit, texts.to),
  });
}

/** Soon after a stream's first event nothing has closed: that proves nothing, and is no mismatch. */
function auditDoubt(audit: Verdict['audit'], texts: Texts): string[] {
  if (!isAuditFailure(audit)) return [];
  return [(audit.mismatch ?? 0) === 0 && audit.slices_checked === 0 ? texts.auditPending : texts.auditWarning];
}

type HeadlineParts = {readonly treatments: readonly TreatmentReport[]; readonly doubt: readonly string[]};

function experimentHeadline(experiment: string, {treatments, doubt}: HeadlineParts, texts: Texts): string {
  const [worst, ...others] = treatments;
  if (worst === undefined) return texts.nothing;
  const also = others.filter(other => other.decision !== 'keep_running').length;
  const line = texts.because(texts.inExperiment(texts.act[worst.decision](worst.variant), experiment), worst.why);
  const parts = [line, ...(also > 0 ? [texts.moreTreatments(also)] : []), ...doubt];
  return parts.join('; ');
}

function buildMetric(rows: readonly Verdict[], texts: Texts): MetricReport {
  const [first] = rows;
  if (first === undefined) throw new Error('a metric has at least one row');
  return {
    metric: first.metric,
    role: first.role,
    aggregate: first.aggregate,
    direction: first.direction,
    unit: metricUnit(first),
    tolerance: toleranceOf(first),
    arms: armsOf(rows),
    rows: rows.map(verdict => ({
      variant: verdict.variant,
      reading: readingOf(verdict),
      missing_reason: missingReason(verdict, texts),
      pairs: pairsOf(verdict),
      replay: `assay replay ${verdict.verdict_id}`,
      verdict,
    })),
    calibration: rows.find(({calibration}) => calibration !== undefined)?.calibration ?? null,
    around: aroundOf(rows),
  };
}

/** Each change once, newest first: rows of one metric share their control's windows. */
function aroundOf(rows: readonly Verdict[]): WindowsAround[] {
  const changes = new Map<number, WindowsAround>();
  for (const {control, windows_around: own = []} of rows) {
    for (const change of own) {
      const known = changes.get(change.version);
      const windows = known === undefined ? change.windows : [...known.windows, ...change.windows.filter(({variant}) => variant !== control)];
      changes.set(change.version, {...change, windows});
    }
  }
  return [...changes.values()].sort((a, b) => b.version - a.version);
}

/** Each arm once, control first. Rows of one metric share their control arm. */
function armsOf(rows: readonly Verdict[]): ArmEvidence[] {
  const arms = new Map<string, ArmEvidence>();
  for (const row of rows) for (const arm of row.arms) if (!arms.has(arm.variant)) arms.set(arm.variant, arm);
  const control = rows[0]?.control;
  return [...arms.values()].sort((a, b) => Number(b.variant === control) - Number(a.variant === control));
}

const least = (values: readonly string[]): string | null => values.reduce<string | null>((low, value) => (low === null || value < low ? value : low), null);
const greatest = (values: readonly string[]): string | null => values.reduce<string | null>((high, value) => (high === null || value > high ? value : high), null);
