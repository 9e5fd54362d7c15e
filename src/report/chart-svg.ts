import {formatInstant} from './format.ts';
import {intervalSvg} from './interval-svg.ts';
import {Markup, type MarkupPart, markup} from './markup.ts';
import type {MetricReport, Reading, Report} from './report.ts';
import {FIGURE_WIDTH, PLOT_LEFT} from './svg.ts';
import {ENGLISH, type Texts} from './texts.ts';

/** A chat shows a picture as wide as a phone: more than three metrics would be read by nobody. */
const METRICS_MAX = 3;
const TITLE_LINES_MAX = 6;
const TITLE_SIZE = 14;
const TITLE_LINE_HEIGHT = 20;
/** Latin letters of the title in one line; wide ones count twice. */
const TITLE_LINE_UNITS = 37;
const NAME_HEIGHT = 24;

const STATUS_COLOUR = {alert: '#b42318', healthy: '#1a7f37', no_data: '#8a5300'} as const;

const URGENCY: readonly Reading[] = ['worse', 'better', 'unclear', 'no-reading', 'not-computable'];

/**
 * The picture for a chat: what was decided and why, then the intervals of the metrics
 * that carry it, of the most urgent experiment. Black on white, whatever the chat's colours.
 */
export function chartSvg(report: Report, texts: Texts = ENGLISH): Markup {
  const {status} = report.summary;
  const [first] = report.experiments;
  const title = wrap(`${texts.status[status]} · ${first?.headline ?? report.headline}`);
  const through = first?.data_to ?? null;
  const top = 12 + title.length * TITLE_LINE_HEIGHT;
  const data = through === null ? '' : `${texts.label.dataThrough} ${formatInstant(through)}`;
  let y = top + 28;
  const panels = mainMetrics(report).map((metric, index): Markup => {
    const figure = sized(intervalSvg({id: `m${index}`, metric, texts}), y + NAME_HEIGHT);
    const name = markup`<text x="${PLOT_LEFT}" y="${y + 16}" font-size="13" font-weight="700">${metric.metric} <tspan font-weight="400" fill="#57606a">${texts.role[metric.role]}</tspan></text>`;
    y += NAME_HEIGHT + figure.height + 4;
    return markup`${name}${figure.svg}`;
  });
  const colour = STATUS_COLOUR[status];
  const content: MarkupPart[] = [
    markup`<rect width="${FIGURE_WIDTH}" height="${y + 8}" fill="#ffffff"/><rect width="${FIGURE_WIDTH}" height="5" fill="${colour}"/>`,
    markup`<g font-size="${TITLE_SIZE}" font-weight="700" fill="${colour}">${title.map((line, index) => markup`<text x="${PLOT_LEFT}" y="${26 + index * TITLE_LINE_HEIGHT}">${line}</text>`)}</g>`,
    markup`<text x="${PLOT_LEFT}" y="${top + 16}" font-size="11" fill="#57606a">${data}</text>`,
    panels,
  ];
  return markup`<svg xmlns="http://www.w3.org/2000/svg" width="${FIGURE_WIDTH}" height="${y + 8}" viewBox="0 0 ${FIGURE_WIDTH} ${y + 8}" color="#1b1f24" fill="#1b1f24" font-family="DejaVu Sans, Noto Sans, Noto Sans CJK SC, sans-serif" font-size="12">${content}</svg>`;
}

/** What is harmed first, then what is better, then the rest; diagnostics decide nothing and come last. */
function mainMetrics({experiments: [first]}: Report): readonly MetricReport[] {
  const urgency = ({role, rows}: MetricReport): number => (role === 'diagnostic' ? URGENCY.length : 0) + Math.min(...rows.map(row => URGENCY.indexOf(row.reading)));
  return [...(first?.metrics ?? [])].sort((a, b) => urgency(a) - urgency(b)).slice(0, METRICS_MAX);
}

/** A figure at its place in the picture; a nested svg without a size would fill all of it. */
function sized(figure: Markup, y: number): {readonly svg: Markup; readonly height: number} {
  const text = figure.toString();
  const height = Number(/viewBox="0 0 \d+ (\d+)"/.exec(text)?.[1] ?? 0);
  return {height, svg: new Markup(text.replace('<svg ', `<svg x="0" y="${y}" width="${FIGURE_WIDTH}" height="${height}" `).replace('font-family="system-ui, sans-serif" ', ''))};
}

/** Lines of a title: broken between words, or between characters where a script has no spaces. */
function wrap(text: string): string[] {
  const lines = [''];
  let room = TITLE_LINE_UNITS;
  for (const [piece] of text.matchAll(/[\u2e80-\u9fff\uff00-\uffef]|[^\s\u2e80-\u9fff\uff00-\uffef]{1,37}|\s+/gu)) {
    const units = [...piece].reduce((sum, character) => sum + (/[\u2e80-\u9fff\uff00-\uffef]/u.test(character) ? 2 : 1), 0);
    if (units > room) {
      lines.push('');
      room = TITLE_LINE_UNITS;
      if (piece.trim() === '') continue;
    }
    lines[lines.length - 1] += piece;
    room -= units;
  }
  if (lines.length <= TITLE_LINES_MAX) return lines;
  return [...lines.slice(0, TITLE_LINES_MAX - 1), `${lines[TITLE_LINES_MAX - 1] ?? ''}…`];
}
