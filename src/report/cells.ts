import type {Calibration, TestEvidence, Verdict} from '../core/verdict.ts';
import {formatCount, formatEffect, formatInstant, formatInterval, formatNumber, formatP, formatShare, formatSignedShare, formatValue} from './format.ts';
import {missingText} from './read-verdict.ts';
import type {ExperimentReport, MetricReport, MetricRow, PairView} from './report.ts';
import type {Texts} from './texts.ts';

/*
 * The tables' contents as plain text, the same for Markdown and HTML. A missing
 * number is `not computable: reason`; an empty cell means the question does not apply.
 */

export type Cell = {readonly label: string; readonly text: string};

/** One row of the metric × variant table; the first two cells head the row. */
export function metricCells(metric: MetricReport, row: MetricRow, texts: Texts): Cell[] {
  const {label} = texts;
  const {verdict} = row;
  const {unit} = metric;
  const effect = verdict.effect_absolute;
  const relative = verdict.effect_relative === null ? '' : ` (${formatSignedShare(verdict.effect_relative)})`;
  return [
    {label: label.metric, text: `${metric.metric} · ${texts.role[metric.role]}`},
    {label: label.variant, text: row.variant},
    {label: label.reads, text: texts.reading[row.reading]},
    {label: label.effect, text: effect === null ? texts.notComputable(row.missing_reason) : `${formatEffect(effect, unit)}${relative}`},
    {label: label.interval, text: intervalText(verdict.cs_low, verdict.cs_high, {metric, texts})},
    {label: label.means, text: `${meanText(verdict.mean_control, metric, texts)} → ${meanText(verdict.mean_variant, metric, texts)}`},
    {label: label.n, text: `${formatCount(verdict.n_control)} / ${formatCount(verdict.n_variant)}${estimateText(verdict, texts)}`},
    {label: label.pAlwaysValid, text: pText(verdict.p_value_always_valid, texts)},
    {label: label.fixedInterval, text: intervalText(verdict.ci_low, verdict.ci_high, {metric, texts})},
    {label: label.pValue, text: fixedP(verdict, texts)},
  ];
}

/** What the arms' outcomes stand for, where units were sampled. */
function estimateText({arms, control, variant}: Verdict, texts: Texts): string {
  const of = (key: string): number | undefined => arms.find(arm => arm.variant === key)?.estimated_outcomes;
  const [base, treated] = [of(control), of(variant)];
  if (base === undefined || treated === undefined) return '';
  return ` (${texts.sampledOf(formatCount(Math.round(base)), formatCount(Math.round(treated)))})`;
}

const meanText = (value: number | null, metric: MetricReport, texts: Texts): string =>
  value === null ? texts.label.none : formatValue(value, metric.unit);

const intervalText = (low: number | null, high: number | null, {metric, texts}: {readonly metric: MetricReport; readonly texts: Texts}): string =>
  low === null || high === null ? texts.label.none : formatInterval([low, high], metric.unit, texts.to);

const pText = (p: number | null, texts: Texts): string => (p === null ? texts.label.none : formatP(p));

function fixedP({p_value: p, p_value_adjusted: adjusted, test}: Verdict, texts: Texts): string {
  if (p === null) return texts.label.none;
  const method = test === null ? '' : ` (${texts.test[test]})`;
  return `${formatP(p)}${method}${adjusted === null ? '' : `; ${texts.label.pAdjusted} ${formatP(adjusted).replace('p = ', '').replace('p ', '')}`}`;
}

/** All applied tests of an experiment, the primary one marked. */
export function testCells(experiment: ExperimentReport, texts: Texts): Cell[][] {
  return experiment.metrics.flatMap(metric =>
    metric.rows.flatMap(({verdict, variant}) =>
      verdict.tests.map(test => [
        {label: texts.label.metric, text: metric.metric},
        {label: texts.label.variant, text: variant},
        {label: texts.label.test, text: `${texts.test[test.test]}${marks(test, verdict, texts)}`},
        {label: texts.label.result, text: testResult(test, texts)},
        {label: texts.label.estimate, text: test.estimate === undefined ? '' : formatEffect(test.estimate, metric.unit)},
        {label: texts.label.statistic, text: test.statistic === undefined ? '' : formatNumber(test.statistic)},
      ]),
    ),
  );
}

function marks(test: TestEvidence, verdict: Verdict, texts: Texts): string {
  const words = [...(test.test === verdict.test ? [texts.label.primary] : []), ...(test.exploratory === true ? [texts.label.exploratory] : [])];
  return words.length === 0 ? '' : ` (${words.join(', ')})`;
}

const testResult = (test: TestEvidence, texts: Texts): string =>
  test.status === 'ok' && test.p_value !== undefined
    ? formatP(test.p_value)
    : texts.notComputable(test.reason === undefined ? texts.noReason : missingText(test.reason, texts));

/** How often the test found a difference where there is none. */
export function calibrationText({status, reason, rate, low, high, ...counts}: Calibration, texts: Texts): string {
  if (status === 'not-computable' || rate === null || low === null || high === null) {
    return texts.notComputable(reason === undefined ? texts.noReason : missingText(reason, texts));
  }
  const {rejected, computed, alpha, cut_ms: cut} = counts;
  return texts.calibrationSentence({
    rate: formatShare(rate),
    low: formatShare(low),
    high: formatShare(high),
    rejected: formatCount(rejected),
    computed: formatCount(computed),
    alpha: formatShare(alpha),
    at: formatInstant(new Date(cut).toISOString()),
  });
}

/** As a check is shown. */
export const CALIBRATION_STATUS = {healthy: 'pass', unhealthy: 'fail', 'not-computable': 'not-computable'} as const;

/** The facts about where the numbers come from, as label and text. */
export function evidenceCells(experiment: ExperimentReport, texts: Texts): Cell[] {
  const {label} = texts;
  const {versions, analysis} = experiment;
  const settings = Object.entries(analysis).filter(([, value]) => value !== null && typeof value !== 'object');
  return [
    {label: label.cut, text: experiment.cut_arrival_ts},
    {label: label.late, text: formatCount(experiment.outcomes_late)},
    {label: label.unattributed, text: formatCount(experiment.outcomes_unattributed)},
    {label: label.analysis, text: settings.map(([key, value]) => `${key} ${String(value)}`).join(', ') || label.none},
    {label: label.engine, text: `assay ${versions.assay}, node ${versions.node}, ${versions.engine}`},
  ];
}

/** Log epoch, partition and the half-open range of offsets, one line each. */
export const offsetTexts = (experiment: ExperimentReport): string[] =>
  experiment.offsets.map(({log_epoch: epoch, partition, from, to}) => `${partition}@${epoch}: [${from}, ${to})`);

/** Who did better on the items that both variants answered. */
export function pairText(pairs: PairView, texts: Texts): string {
  const {better, equal, worse, dropped} = pairs;
  const counts = texts.pairs({better: formatCount(better), equal: formatCount(equal), worse: formatCount(worse)});
  return dropped === 0 ? counts : `${counts}; ${texts.pairsDropped(formatCount(dropped))}`;
}
