import type {WindowsAround} from '../core/verdict.ts';
import {armText} from './around-svg.ts';
import {reportAuditText} from './build-report.ts';
import {CALIBRATION_STATUS, type Cell, calibrationText, evidenceCells, metricCells, offsetTexts, pairText, testCells} from './cells.ts';
import {formatCount, formatInstant, formatShare} from './format.ts';
import {markdownBlock, markdownText} from './markup.ts';
import type {ExperimentReport, Report, TreatmentReport} from './report.ts';
import {ENGLISH, type Texts} from './texts.ts';

/** GitHub's Markdown. The first line is the decision and why. */
export function renderMarkdown(report: Report, texts: Texts = ENGLISH): string {
  const {label} = texts;
  const {summary} = report;
  const head = [
    `# ${markdownText(`${texts.status[summary.status]} · ${report.headline}`)}`,
    `**${label.audit}:** ${markdownText(reportAuditText(report, texts))}${summary.audit.is_failure ? ` **${texts.checkStatus.fail}**` : ''}  `,
    `**${label.passRate}:** ${markdownText(passRateText(report, texts))} · **${label.pairCoverage}:** ${markdownText(coverageText(report, texts))} · **${label.highFindings}:** ${summary.findings_high}  `,
    `**${label.generated}:** ${formatInstant(report.generated_at)}`,
  ].join('\n');
  const findings = report.findings
    .filter(finding => finding.severity !== 'info')
    .map(finding => `- **${texts.severity[finding.severity]}** ${markdownText([finding.experiment, finding.subject, finding.text].filter(part => part !== '').join(' · '))}`);
  const blocks = [head, ...(findings.length === 0 ? [] : [`## ${label.findings}`, findings.join('\n')])];
  return `${[...blocks, ...report.experiments.flatMap(experiment => experimentBlocks(experiment, texts))].join('\n\n')}\n`;
}

/** `80 % (8 of 10)`. */
export function passRateText({summary}: Report, texts: Texts = ENGLISH): string {
  if (summary.pass_rate === null) return texts.label.none;
  const judged = summary.checks_passed + summary.checks_failed;
  return `${formatShare(summary.pass_rate)} (${formatCount(summary.checks_passed)} / ${formatCount(judged)})`;
}

export const coverageText = ({summary}: Report, texts: Texts = ENGLISH): string =>
  summary.pair_coverage === null ? texts.label.notPaired : formatShare(summary.pair_coverage);

/** Where the experiment stands: phase, version, data range. */
export function standText(experiment: ExperimentReport, texts: Texts): string {
  const {label} = texts;
  const through = experiment.data_to === null ? label.none : formatInstant(experiment.data_to);
  return [
    `${label.dataThrough} ${through}`,
    `${label.phase} ${experiment.phase}`,
    `${label.configVersion} ${experiment.config_version}`,
    `${label.design} ${experiment.design}`,
    `${label.control} ${experiment.control}`,
  ].join(' · ');
}

function experimentBlocks(experiment: ExperimentReport, texts: Texts): string[] {
  const {label} = texts;
  const metricRows = experiment.metrics.flatMap(metric => metric.rows.map(row => metricCells(metric, row, texts)));
  const tests = testCells(experiment, texts);
  return [
    `## ${markdownText(experiment.experiment)}`,
    experiment.treatments.map(treatment => `- **${texts.decision[treatment.decision]}** ${markdownText(treatmentText(treatment, texts))}`).join('\n'),
    markdownText(standText(experiment, texts)),
    `### ${label.health}`,
    experiment.health.map(check => `- **${texts.checkStatus[check.status]}** ${texts.check[check.code]}: ${markdownText(check.text)}`).join('\n'),
    `### ${label.metrics}`,
    table(metricRows),
    `> ${label.fixedHorizonNote}`,
    ...calibrationBlocks(experiment, texts),
    ...pairBlocks(experiment, texts),
    ...aroundBlocks(experiment, texts),
    ...(tests.length === 0 ? [] : [`### ${label.tests}`, table(tests)]),
    `### ${label.evidence}`,
    [...evidenceCells(experiment, texts), {label: label.offsets, text: offsetTexts(experiment).join(', ') || label.none}]
      .map(cell => `- ${cell.label}: ${markdownText(cell.text)}`)
      .join('\n'),
    `### ${label.replay}`,
    markdownBlock(replayCommands(experiment).join('\n'), 'sh'),
    `### ${label.sql}`,
    ...sqlTexts(experiment).map(sql => markdownBlock(sql, 'sql')),
    ...(experiment.link === null ? [] : [`[${label.open}](<${experiment.link.replaceAll(/[<>\s]/g, encodeURIComponent)}>)`]),
  ];
}

/** Beside the results, what the same tests say where there is nothing to find. */
function calibrationBlocks({metrics}: ExperimentReport, texts: Texts): string[] {
  const lines = metrics.flatMap(({metric, calibration}) =>
    calibration === null ? [] : [`- **${texts.checkStatus[CALIBRATION_STATUS[calibration.status]]}** ${markdownText(`${metric}: ${calibrationText(calibration, texts)}`)}`],
  );
  return lines.length === 0 ? [] : [`### ${texts.label.calibration}`, texts.label.calibrationNote, lines.join('\n')];
}

/** Win, tie and loss, when a row has them. */
function pairBlocks(experiment: ExperimentReport, texts: Texts): string[] {
  const lines = experiment.metrics.flatMap(({metric, rows}) =>
    rows.flatMap(({variant, pairs}) => (pairs === null ? [] : [`- ${markdownText(`${metric} / ${variant}: ${pairText(pairs, texts)}`)}`])),
  );
  return lines.length === 0 ? [] : [`### ${texts.label.pairs}`, lines.join('\n')];
}

/** Each change once, newest first. */
export function changesOf({metrics}: ExperimentReport): WindowsAround[] {
  const changes = new Map(metrics.flatMap(({around}) => around.map(change => [change.version, change] as const)));
  return [...changes.values()].sort((a, b) => b.version - a.version);
}

export const changeText = ({at, version, phase, author, reason}: WindowsAround, texts: Texts): string =>
  texts.changeSentence({at: formatInstant(at), version, phase, author, reason});

/** A change, then what each arm's windows were before and after it. */
function aroundBlocks(experiment: ExperimentReport, texts: Texts): string[] {
  const changes = changesOf(experiment);
  if (changes.length === 0) return [];
  const lines = changes.flatMap(change => [
    `- ${markdownText(changeText(change, texts))}`,
    ...experiment.metrics.flatMap(metric =>
      metric.around
        .filter(({version}) => version === change.version)
        .flatMap(own => metric.arms.map(({variant}) => `  - ${markdownText(`${metric.metric} / ${armText(variant, {metric, change: own, texts})}`)}`)),
    ),
  ]);
  return [`### ${texts.label.around}`, lines.join('\n')];
}

/** `v2 (before: Keep running): why`. */
export function treatmentText({variant, why, is_changed: isChanged, previous_decision: previous}: TreatmentReport, texts: Texts): string {
  const before = isChanged && previous !== null ? ` (${texts.label.before}: ${texts.decision[previous]})` : '';
  return texts.because(`${variant}${before}`, why);
}

export const replayCommands = (experiment: ExperimentReport): string[] =>
  experiment.metrics.flatMap(metric => metric.rows.map(row => row.replay));

/** Each statement once: the treatments of a metric often share theirs. */
export const sqlTexts = (experiment: ExperimentReport): string[] => [
  ...new Set(experiment.metrics.flatMap(metric => metric.rows.map(row => row.verdict.sql)).filter(sql => sql !== '')),
];

function table(rows: readonly (readonly Cell[])[]): string {
  const line = (texts: readonly string[]): string => `| ${texts.join(' | ')} |`;
  const [first] = rows;
  if (first === undefined) return '';
  return [
    line(first.map(cell => cell.label)),
    line(first.map(() => '---')),
    ...rows.map(row => line(row.map(cell => markdownText(cell.text)))),
  ].join('\n');
}
