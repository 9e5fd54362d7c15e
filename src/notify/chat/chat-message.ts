import {auditText} from '../../report/build-health.ts';
import {reportAuditText} from '../../report/build-report.ts';
import {formatCount, formatInstant, formatNumber} from '../../report/format.ts';
import {coverageText, passRateText, replayCommands, treatmentText} from '../../report/render-markdown.ts';
import type {Texts} from '../../report/texts.ts';
import type {AlertRow} from '../../warehouse/warehouse.ts';
import type {ChartLink} from '../chart-link.ts';
import type {AlertNotice, Notice, ReportNotice} from '../channel.ts';
import type {ChatTexts} from './texts.ts';

/**
 * What a chat channel shows, before a service's form: plain text without markup, most
 * important first, so that whatever is cut off is cut off at the end.
 */
export type ChatMessage = {
  readonly title: string;
  readonly tone: 'good' | 'bad' | 'neutral';
  readonly lines: readonly ChatLine[];
  /** Where all of it is; null without a public address. */
  readonly link: string | null;
  /** Where the main chart is; null when there is none. */
  readonly chart: ChartLink | null;
  /** The main chart; null unless the channel takes pictures. */
  readonly picture: Uint8Array | null;
  /** What prints all of it when there is no link. */
  readonly command: string;
};

/** `label` is set off from the text; '' for none. */
export type ChatLine = {readonly label: string; readonly text: string};

export type ChatWords = {readonly chat: ChatTexts; readonly report: Texts};

/** Pure: the same notice gives the same message. */
export function chatMessage(notice: Notice, words: ChatWords): ChatMessage {
  if (notice.type === 'alert') return alertMessage(notice, words);
  if (notice.type === 'test') {
    const {test, testLine} = words.chat;
    return {title: test, tone: 'neutral', lines: [{label: '', text: testLine}], link: null, chart: null, picture: null, command: 'assay deliveries list'};
  }
  return reportMessage(notice, words);
}

const TONE = {alert: 'bad', healthy: 'good', no_data: 'neutral'} as const;

function reportMessage({report, chart = null, picture = null}: ReportNotice, {chat, report: texts}: ChatWords): ChatMessage {
  const {summary, experiments} = report;
  const [first, ...others] = experiments;
  const decisions = experiments.flatMap(experiment =>
    experiment.treatments.map(treatment => ({label: experiment.experiment, text: `${texts.decision[treatment.decision]} · ${treatmentText(treatment, texts)}`})),
  );
  const findings = report.findings
    .filter(({severity, code}) => severity !== 'info' && !code.startsWith('decision_'))
    .map(({severity, experiment, subject, text}) => ({label: texts.severity[severity], text: [experiment, subject, text].filter(part => part !== '').join(' · ')}));
  const through = first?.data_to ?? null;
  const facts: ChatLine[] = [
    {label: texts.label.dataThrough, text: through === null ? texts.label.none : formatInstant(through)},
    {label: texts.label.audit, text: first === undefined || others.length > 0 ? reportAuditText(report, texts) : auditText(first.audit, texts)},
    {label: texts.label.passRate, text: passRateText(report, texts)},
    {label: texts.label.pairCoverage, text: coverageText(report, texts)},
    {label: texts.label.highFindings, text: formatCount(summary.findings_high)},
  ];
  const replay = experiments.flatMap(replayCommands).slice(0, 1).map(command => ({label: chat.label.replay, text: command}));
  return {
    title: `${texts.status[summary.status]} · ${report.headline}`,
    tone: TONE[summary.status],
    lines: [...decisions, ...facts, ...findings, ...replay],
    link: webLink(others.length === 0 ? (first?.link ?? report.link) : report.link),
    chart: chart === null || webLink(chart.url) === null ? null : chart,
    picture,
    command: others.length === 0 && first !== undefined ? `assay report ${first.experiment}` : 'assay report',
  };
}

function alertMessage({alert, others = [], link}: AlertNotice, {chat}: ChatWords): ChatMessage {
  const {label} = chat;
  const severity = chat.severity[alert.severity] ?? alert.severity;
  const about = [alert.experiment, alert.variant].filter(part => part !== '').join('/');
  const number = (value: number | null): string => (value === null ? '–' : formatNumber(value));
  const optional = (name: string, text: string): ChatLine[] => (text === '' ? [] : [{label: name, text}]);
  return {
    title: chat.alertTitle({state: chat.alertState[alert.state], severity, rule: alert.rule, about}),
    tone: alert.state === 'resolved' ? 'good' : 'bad',
    lines: [
      {label: label.reason, text: alert.reason},
      {label: label.value, text: number(alert.value)},
      {label: label.threshold, text: number(alert.threshold)},
      ...optional(label.window, windowText(alert)),
      ...optional(label.n, textOf(alert.context['n'])),
      ...optional(label.since, instantOf(alert.context['since'])),
      {label: label.at, text: formatInstant(alert.changed_at)},
      ...annotations(alert),
      ...others.map(other => ({label: `${other.rule} ${other.experiment}/${other.variant}`, text: `${chat.alertState[other.state]} · ${other.reason}`})),
      ...optional(label.action, alert.context['action'] === 'alert' ? '' : textOf(alert.context['action'])),
    ],
    link: webLink(link),
    chart: null,
    picture: null,
    command: `assay query "SELECT * FROM alerts WHERE alert_id = '${alert.alert_id}'"`,
  };
}

/** What the rule's author wanted to be read. */
function annotations({context}: AlertRow): ChatLine[] {
  const written = context['annotations'];
  if (typeof written !== 'object' || written === null) return [];
  return Object.entries(written).map(([label, text]) => ({label, text: String(text)}));
}

const windowText = ({window_start: from, window_end: to}: AlertRow): string => (from === null || to === null ? '' : `${formatInstant(from)} – ${formatInstant(to)}`);

const textOf = (value: unknown): string => (typeof value === 'number' ? formatCount(value) : typeof value === 'string' ? value : '');

const instantOf = (value: unknown): string => (typeof value === 'string' ? formatInstant(value) : '');

const webLink = (link: string | null): string | null => (link !== null && /^https?:\/\/[^\s<>"()]+$/.test(link) ? link : null);
