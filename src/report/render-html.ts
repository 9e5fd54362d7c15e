import {aroundSvg} from './around-svg.ts';
import {boxPlotSvg} from './box-plot-svg.ts';
import {reportAuditText} from './build-report.ts';
import {CALIBRATION_STATUS, type Cell, calibrationText, evidenceCells, metricCells, offsetTexts, testCells} from './cells.ts';
import {formatInstant} from './format.ts';
import {REPORT_CSS} from './html-style.ts';
import {intervalSvg} from './interval-svg.ts';
import {Markup, markup} from './markup.ts';
import {pairsSvg} from './pairs-svg.ts';
import {changesOf, changeText, coverageText, passRateText, replayCommands, sqlTexts, standText, treatmentText} from './render-markdown.ts';
import type {Check, ExperimentReport, MetricReport, Report} from './report.ts';
import {ENGLISH, type Texts} from './texts.ts';

/**
 * One file that needs nothing else: no script, no request (a policy in its head forbids
 * both). Decision and why first, health above numbers, evidence last.
 */
export function renderHtml(report: Report, texts: Texts = ENGLISH): string {
  const page = markup`<!doctype html>
<html lang="${texts.language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${texts.status[report.summary.status]} · ${report.headline}</title>
<style>${new Markup(REPORT_CSS)}</style>
</head>
<body>
${banner(report, texts)}
<main>
${summary(report, texts)}
${findings(report, texts)}
${report.experiments.map((experiment, index) => experimentSection(experiment, `e${index}`, texts))}
<footer>${texts.label.report} · schema ${report.schema_version} · ${texts.label.generated} ${formatInstant(report.generated_at)}</footer>
</main>
</body>
</html>
`;
  return page.toString();
}

function banner(report: Report, texts: Texts): Markup {
  const {status} = report.summary;
  const through = report.experiments[0]?.data_to;
  const data = through === null || through === undefined ? texts.label.none : formatInstant(through);
  return markup`<header class="banner ${status}"><div><h1><span class="status">${texts.status[status]}</span> · ${unbroken(report.headline)}</h1><p>${texts.label.dataThrough} ${data} · ${texts.label.audit}: ${reportAuditText(report, texts)}</p></div></header>`;
}

function summary(report: Report, texts: Texts): Markup {
  const {label} = texts;
  const {audit, findings_high: high} = report.summary;
  const fact = (name: string, value: string, tone: string): Markup => markup`<div><dt>${name}</dt><dd class="${tone}">${value}</dd></div>`;
  return markup`<section aria-label="${label.summary}"><dl class="facts">${[
    fact(label.passRate, passRateText(report, texts), ''),
    fact(label.highFindings, String(high), high > 0 ? 'fail' : 'pass'),
    fact(label.pairCoverage, coverageText(report, texts), ''),
    fact(label.audit, texts.checkStatus[audit.is_failure ? 'fail' : 'pass'], audit.is_failure ? 'fail' : 'pass'),
  ]}</dl></section>`;
}

function findings(report: Report, texts: Texts): Markup | null {
  const shown = report.findings.filter(finding => finding.severity !== 'info');
  if (shown.length === 0) return null;
  const items = shown.map(
    ({severity, experiment, subject, text}) => markup`<li><span class="word ${severity}">${texts.severity[severity]}</span> ${unbroken([experiment, subject, text].filter(part => part !== '').join(' · '))}</li>`,
  );
  return markup`<section><h2>${texts.label.findings}</h2><ul class="plain">${items}</ul></section>`;
}

function experimentSection(experiment: ExperimentReport, id: string, texts: Texts): Markup {
  const {label} = texts;
  const treatments = experiment.treatments.map(
    treatment => markup`<li><span class="word ${treatment.decision}">${texts.decision[treatment.decision]}</span> ${unbroken(treatmentText(treatment, texts))}</li>`,
  );
  const link = experiment.link !== null && /^https?:\/\//.test(experiment.link) ? markup`<p><a href="${experiment.link}" rel="noreferrer">${label.open}</a></p>` : null;
  return markup`<section aria-labelledby="${id}">
<h2 id="${id}">${experiment.experiment}</h2>
<ul class="plain">${treatments}</ul>
<p class="quiet">${standText(experiment, texts)}</p>${link}
<h3>${label.health}</h3>
<ul class="plain">${experiment.health.map(check => healthItem(check, texts))}</ul>
<h3>${label.metrics}</h3>
${metricTable(experiment, texts)}
<p class="quiet">${label.fixedHorizonNote}</p>
${calibrationSection(experiment, texts)}<h3>${label.difference}</h3>
<p class="quiet">${label.intervalNote}</p>
<div class="figures">${experiment.metrics.map((metric, index) => figure(metric, intervalSvg({id: `${id}-i${index}`, metric, texts})))}</div>
<h3>${label.distribution}</h3>
<p class="quiet">${label.boxNote}</p>
<div class="figures">${experiment.metrics.filter(hasDistribution).map((metric, index) => figure(metric, boxPlotSvg({id: `${id}-b${index}`, metric: metric.metric, unit: metric.unit, arms: metric.arms, texts})))}</div>
${pairSection(experiment, id, texts)}${aroundSection(experiment, id, texts)}<h3>${label.evidence}</h3>
${evidence(experiment, texts)}
</section>`;
}

/** Beside the results, what the same tests say where there is nothing to find. */
function calibrationSection({metrics}: ExperimentReport, texts: Texts): Markup | null {
  const items = metrics.flatMap(({metric, calibration}) => {
    if (calibration === null) return [];
    const status = CALIBRATION_STATUS[calibration.status];
    return [markup`<li><span class="word ${status}">${texts.checkStatus[status]}</span> ${metric}: ${calibrationText(calibration, texts)}</li>`];
  });
  if (items.length === 0) return null;
  return markup`<h3>${texts.label.calibration}</h3>
<p class="quiet">${texts.label.calibrationNote}</p>
<ul class="plain">${items}</ul>
`;
}

/** Win, tie and loss, when a row has them. */
function pairSection(experiment: ExperimentReport, id: string, texts: Texts): Markup | null {
  const paired = experiment.metrics.filter(metric => metric.rows.some(row => row.pairs !== null));
  if (paired.length === 0) return null;
  return markup`<h3>${texts.label.pairs}</h3>
<p class="quiet">${texts.label.pairNote}</p>
<div class="figures">${paired.map((metric, index) => figure(metric, pairsSvg({id: `${id}-p${index}`, metric, texts})))}</div>
`;
}

/** The last changes, newest first, each with the metrics that have windows on both sides of it. */
function aroundSection(experiment: ExperimentReport, id: string, texts: Texts): Markup {
  const {label} = texts;
  const changes = changesOf(experiment);
  if (changes.length === 0) return markup`<h3>${label.around}</h3>\n<p class="quiet">${label.noChange}</p>\n`;
  const parts = changes.map(change => {
    const figures = experiment.metrics.flatMap((metric, index) =>
      metric.around.filter(({version}) => version === change.version).map(own => figure(metric, aroundSvg({id: `${id}-c${own.version}-${index}`, metric, change: own, texts}))),
    );
    return markup`<p class="change-line">${changeText(change, texts)}</p><div class="figures">${figures}</div>`;
  });
  return markup`<h3>${label.around}</h3>
<p class="quiet">${label.aroundNote}</p>
${parts}
`;
}

/** The values behind a share are zeros and ones: there is no box to draw. */
const hasDistribution = (metric: MetricReport): boolean => metric.aggregate !== 'share' && metric.aggregate !== 'conversion';

const healthItem = (check: Check, texts: Texts): Markup =>
  markup`<li><span class="word ${check.status}">${texts.checkStatus[check.status]}</span> ${texts.check[check.code]}: ${check.text}</li>`;

const figure = (metric: MetricReport, svg: Markup): Markup => markup`<figure><h4>${metric.metric}</h4>${svg}</figure>`;

function metricTable(experiment: ExperimentReport, texts: Texts): Markup {
  const rows = experiment.metrics.flatMap(metric => metric.rows.map(row => ({cells: metricCells(metric, row, texts), reading: row.reading})));
  const body = rows.map(({cells, reading}) => tableRow(cells, {headings: 2, toneAt: 2, tone: reading}));
  return cardTable(rows[0]?.cells ?? [], {caption: `${texts.label.metric} × ${texts.label.variant.toLowerCase()}`, body});
}

type CardTable = {readonly caption: string; readonly body: readonly Markup[]};

/** Cards on a phone; the roles keep it a table for screen readers although its display changes. */
const cardTable = (head: readonly Cell[], {caption, body}: CardTable): Markup =>
  markup`<table class="cards" role="table"><caption>${caption}</caption><thead role="rowgroup"><tr role="row">${head.map(cell => markup`<th role="columnheader" scope="col">${cell.label}</th>`)}</tr></thead><tbody role="rowgroup">${body}</tbody></table>`;

type RowStyle = {readonly headings: number; readonly toneAt: number; readonly tone: string};

const tableRow = (cells: readonly Cell[], {headings, toneAt, tone}: RowStyle): Markup =>
  markup`<tr role="row">${cells.map((cell, index) => {
    if (index < headings) return markup`<th role="rowheader" scope="row" data-label="${cell.label}">${cell.text}</th>`;
    const content = index === toneAt ? markup`<span class="word ${tone}">${cell.text}</span>` : unbroken(cell.text);
    return markup`<td role="cell" data-label="${cell.label}">${content}</td>`;
  })}</tr>`;

/** Numbers such as `p < 1e-12` and `+31.1 %` stay on one line. */
const unbroken = (text: string): Markup =>
  markup`${text.split(/(\bp [<>=] \d[\d.e-]*|[+-]?[\d.,]*\d(?:e-?\d+)? (?:%|pp|ms|s|USD|tokens|bytes)(?!\w)|[+-]?[\d.]+e-\d+)/).map((part, index) => (index % 2 === 0 ? part : markup`<span class="number">${part}</span>`))}`;

function evidence(experiment: ExperimentReport, texts: Texts): Markup {
  const {label} = texts;
  const tests = testCells(experiment, texts);
  const offsets = offsetTexts(experiment);
  const testTable = cardTable(tests[0] ?? [], {caption: label.tests, body: tests.map(cells => tableRow(cells, {headings: 2, toneAt: -1, tone: ''}))});
  return markup`<p>${label.replay}:</p><pre>${replayCommands(experiment).join('\n')}</pre>
<details><summary>${label.tests}</summary>${tests.length === 0 ? label.none : testTable}</details>
<details><summary>${label.sql}</summary>${sqlTexts(experiment).map(sql => markup`<pre>${sql}</pre>`)}</details>
<details><summary>${label.offsets}, ${label.engine}</summary><ul class="plain">${evidenceCells(experiment, texts).map(cell => markup`<li>${cell.label}: ${cell.text}</li>`)}<li>${label.offsets}: ${offsets.length === 0 ? label.none : offsets.join(', ')}</li></ul></details>`;
}
