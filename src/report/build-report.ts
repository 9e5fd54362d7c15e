import type {EpochMs} from '../core/units.ts';
import type {Verdict} from '../core/verdict.ts';
import {auditText, worstAudit} from './build-health.ts';
import {buildExperiment, byUrgency} from './build-experiment.ts';
import {calibrationText} from './cells.ts';
import {formatEffect, formatInterval} from './format.ts';
import {newestRows} from './newest-rows.ts';
import {isAuditFailure, metricCheck} from './read-verdict.ts';
import {
  type Check,
  type ExperimentReport,
  type Finding,
  REPORT_SCHEMA_VERSION,
  type Report,
  type ReportKind,
  type ReportSummary,
  type Severity,
  type TreatmentReport,
} from './report.ts';
import {ENGLISH, type Texts} from './texts.ts';

export type ReportOptions = {
  readonly kind: ReportKind;
  readonly generatedAt: EpochMs;
  /** Address of this server in links; '' leaves them out. */
  readonly publicUrl?: string;
  readonly texts?: Texts;
};

/**
 * Stored rows → report. Pure, and the rows are its only source of numbers: they are
 * copied, compared and counted, never computed again. Rows of several streams and
 * experiments may be mixed, older analyses of a treatment are left out.
 */
export function buildReport(verdicts: readonly Verdict[], options: ReportOptions): Report {
  const texts = options.texts ?? ENGLISH;
  const experiments = newestRows(verdicts)
    .map(group => buildExperiment(group, {texts, publicUrl: options.publicUrl ?? ''}))
    .sort(byUrgency);
  const findings = experiments.flatMap(experiment => findingsOf(experiment, texts));
  findings.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
  return {
    schema_version: REPORT_SCHEMA_VERSION,
    kind: options.kind,
    generated_at: new Date(options.generatedAt).toISOString(),
    headline: headlineOf(experiments, texts),
    link: options.publicUrl === undefined || options.publicUrl === '' ? null : options.publicUrl,
    summary: summarise(experiments, findings),
    findings,
    experiments,
  };
}

const SEVERITIES: readonly Severity[] = ['high', 'medium', 'info'];

function headlineOf(experiments: readonly ExperimentReport[], texts: Texts): string {
  const [worst, ...others] = experiments;
  if (worst === undefined) return texts.nothing;
  return others.length === 0 ? worst.headline : `${worst.headline}; ${texts.moreExperiments(others.length)}`;
}

/** Goals and guardrails as checks, beside the health checks. */
export function metricChecks(experiment: ExperimentReport, texts: Texts = ENGLISH): Check[] {
  return experiment.metrics.flatMap(metric =>
    metric.rows.flatMap(({verdict, reading, missing_reason: missing}) => {
      const status = metricCheck(verdict);
      if (status === null || metric.role === 'diagnostic') return [];
      const effect = verdict.effect_absolute === null ? texts.notComputable(missing) : formatEffect(verdict.effect_absolute, metric.unit);
      const interval =
        verdict.cs_low === null || verdict.cs_high === null ? '' : `, ${formatInterval([verdict.cs_low, verdict.cs_high], metric.unit, texts.to)}`;
      const word = verdict.effect_absolute === null ? '' : `${texts.reading[reading]}: `;
      return [{code: metric.role, status, subject: `${metric.metric} / ${verdict.variant}`, text: `${word}${effect}${interval}`}];
    }),
  );
}

/**
 * A failing check is high; a decision that asks for a hand is high, unless a failing check says the same
 * and would be counted twice; what cannot be judged is medium.
 */
function findingsOf(experiment: ExperimentReport, texts: Texts): Finding[] {
  const checks = [...experiment.health, ...metricChecks(experiment, texts)];
  const fromChecks = checks.flatMap((check): Finding[] => {
    if (check.status === 'pass' || check.status === 'open') return [];
    const severity = check.status === 'fail' ? 'high' : check.code === 'ledger' ? 'medium' : 'info';
    return [{severity, code: check.code, experiment: experiment.experiment, subject: check.subject, text: `${texts.check[check.code]}: ${check.text}`}];
  });
  // Whatever the experiment shows: the data or the test is at fault. It stops nothing, so it is not high.
  const fromCalibration = experiment.metrics.flatMap(({metric, calibration}): Finding[] =>
    calibration?.status === 'unhealthy'
      ? [{severity: 'medium', code: 'calibration', experiment: experiment.experiment, subject: metric, text: `${texts.label.calibration}: ${calibrationText(calibration, texts)}`}]
      : [],
  );
  const fromDecisions = experiment.treatments.flatMap((treatment): Finding[] => {
    const severity = DECISION_SEVERITY[treatment.decision];
    if (severity === null || isExplained(treatment, checks)) return [];
    return [{severity, code: `decision_${treatment.decision}`, experiment: experiment.experiment, subject: treatment.variant, text: texts.because(texts.decision[treatment.decision], treatment.why)}];
  });
  return [...fromDecisions, ...fromChecks, ...fromCalibration];
}

/** Whether a failing check of the report is what the decision rests on. */
function isExplained({decision, variant}: TreatmentReport, checks: readonly Check[]): boolean {
  const failing = checks.filter(({status}) => status === 'fail');
  if (decision === 'unhealthy') return failing.some(({code}) => code !== 'goal' && code !== 'guardrail');
  return decision === 'roll_back' && failing.some(({code, subject}) => (code === 'goal' || code === 'guardrail') && subject.endsWith(` / ${variant}`));
}

const DECISION_SEVERITY = {
  roll_back: 'high',
  unhealthy: 'high',
  no_data: 'medium',
  ship: 'info',
  inconclusive: 'info',
  keep_running: null,
} as const;

function summarise(experiments: readonly ExperimentReport[], findings: readonly Finding[]): ReportSummary {
  const checks = experiments.flatMap(experiment => [...experiment.health, ...metricChecks(experiment)]);
  const count = (status: Check['status']): number => checks.filter(check => check.status === status).length;
  const passed = count('pass');
  const failed = count('fail');
  const coverages = experiments.flatMap(experiment => experiment.pair_coverage ?? []);
  const high = findings.filter(finding => finding.severity === 'high').length;
  const audit = worstAudit(experiments.map(experiment => experiment.audit));
  return {
    status: high > 0 || isAuditFailure(audit) ? 'alert' : experiments.every(({decision}) => decision === 'no_data') ? 'no_data' : 'healthy',
    experiments: experiments.length,
    checks_passed: passed,
    checks_failed: failed,
    checks_open: count('open'),
    checks_not_computable: count('not-computable'),
    pass_rate: passed + failed === 0 ? null : passed / (passed + failed),
    pair_coverage: coverages.length === 0 ? null : Math.min(...coverages),
    findings_high: high,
    audit: {mismatch: audit.mismatch, slices_checked: audit.slices_checked, is_failure: isAuditFailure(audit)},
  };
}

/** The audit state in words, as every rendering prints it. */
export const reportAuditText = (report: Report, texts: Texts = ENGLISH): string =>
  auditText({mismatch: report.summary.audit.mismatch, slices_checked: report.summary.audit.slices_checked, checked_at: report.experiments[0]?.audit.checked_at ?? null}, texts);
