import type {WindowsAround} from '../core/verdict.ts';
import {type Axis, linearAxis} from './axis.ts';
import {formatNumber, formatValue} from './format.ts';
import {type Markup, markup} from './markup.ts';
import type {MetricReport} from './report.ts';
import {armColour, FIGURE_WIDTH, PLOT_LEFT, PLOT_RIGHT, shortName, svgFigure} from './svg.ts';
import {ENGLISH, type Texts} from './texts.ts';

export type AroundPlot = {readonly id: string; readonly metric: MetricReport; readonly change: WindowsAround; readonly texts?: Texts};

const LEGEND_HEIGHT = 18;
const PLOT_HEIGHT = 110;
const LABEL_HEIGHT = 34;

/**
 * A metric's windows before and after one change, a line per arm:
 *
 *     v1 ━ v2 ━            change
 *     0.9          ┊  ●──●
 *     0.8  ●──●──● ┊ ●
 *         08:50   09:00   09:10
 */
export function aroundSvg({id, metric, change, texts = ENGLISH}: AroundPlot): Markup {
  const at = Date.parse(change.at);
  const arms = metric.arms.map(({variant}) => variant).filter(variant => change.windows.some(row => row.variant === variant));
  const columns = Math.ceil(arms.length / 3);
  const top = columns * LEGEND_HEIGHT + 16;
  const bottom = top + PLOT_HEIGHT;
  const times = change.windows.map(({start}) => Date.parse(start));
  const reach = Math.max(at - Math.min(at, ...times), Math.max(at, ...times) + change.window_ms - at);
  const x = (time: number): number => Math.round((PLOT_LEFT + ((time - at + reach) / (2 * reach)) * (PLOT_RIGHT - PLOT_LEFT)) * 100) / 100;
  const y = linearAxis(change.windows.map(({value}) => value), {fromPx: bottom, toPx: top, ticksMax: 3});
  const place: Place = {change, x, y, texts};
  const lines = arms.map(variant => armLines(variant, armColour(metric.arms.findIndex(arm => arm.variant === variant)), place));
  const legend = arms.map((variant, index) => legendItem(variant, armColour(metric.arms.findIndex(arm => arm.variant === variant)), index));
  return svgFigure(
    {
      id,
      kind: 'around',
      title: `${texts.label.around}: ${metric.metric}`,
      description: arms.map(variant => armText(variant, {metric, change, texts})).join('. '),
      height: bottom + LABEL_HEIGHT,
    },
    [valueAxis(y, metric), markup`<line class="change" x1="${x(at)}" x2="${x(at)}" y1="${top - 2}" y2="${bottom}" stroke="currentColor" stroke-width="1.5" stroke-dasharray="4 3"/>`, lines, legend, timeAxis(place, bottom, reach)],
  );
}

type Place = {readonly change: WindowsAround; readonly x: (time: number) => number; readonly y: Axis; readonly texts: Texts};

/** A line on each side; the change itself is never bridged. */
function armLines(variant: string, colour: string, {change, x, y}: Place): Markup {
  const at = Date.parse(change.at);
  const sides = (['before', 'after'] as const).map(side => {
    const points = change.windows
      .filter(row => row.variant === variant && row.side === side)
      .map(({start, value}) => {
        const from = Date.parse(start);
        const middle = side === 'before' ? (from + Math.min(at, from + change.window_ms)) / 2 : (Math.max(at, from) + from + change.window_ms) / 2;
        return {px: x(middle), py: y.at(value)};
      });
    const dots = points.map(({px, py}) => markup`<circle cx="${px}" cy="${py}" r="2.5" fill="${colour}"/>`);
    return markup`<polyline class="${side}" fill="none" stroke="${colour}" stroke-width="2" points="${points.map(({px, py}) => `${px},${py}`).join(' ')}"/>${dots}`;
  });
  return markup`<g class="arm">${sides}</g>`;
}

function legendItem(variant: string, colour: string, index: number): Markup {
  const left = PLOT_LEFT + (index % 3) * 112;
  const top = Math.floor(index / 3) * LEGEND_HEIGHT + 12;
  return markup`<line x1="${left}" x2="${left + 14}" y1="${top - 4}" y2="${top - 4}" stroke="${colour}" stroke-width="3"/><text x="${left + 18}" y="${top}" fill="currentColor" font-weight="600">${shortName(variant, 13)}</text>`;
}

/** Values stand on their grid lines, inside the plot: no arm's name needs a margin. */
function valueAxis(y: Axis, metric: MetricReport): Markup {
  const factor = metric.unit.isShare ? 100 : 1;
  const symbol = metric.unit.symbol === '' ? '' : ` ${metric.unit.symbol}`;
  const ticks = y.ticks.map((tick, index) => {
    const top = y.at(tick);
    const unit = index === y.ticks.length - 1 ? symbol : '';
    return markup`<line x1="${PLOT_LEFT}" x2="${PLOT_RIGHT}" y1="${top}" y2="${top}" stroke="currentColor" stroke-opacity="0.15"/><text x="${PLOT_LEFT}" y="${top - 3}" fill="currentColor" fill-opacity="0.75" font-size="11">${formatNumber(tick * factor)}${unit}</text>`;
  });
  return markup`<g class="axis">${ticks}</g>`;
}

function timeAxis({change, x, texts}: Place, bottom: number, reach: number): Markup {
  const at = Date.parse(change.at);
  const marks = [[at - reach, 'start'], [at, 'middle'], [at + reach, 'end']] as const;
  const labels = marks.map(([time, anchor]) => markup`<text x="${x(time)}" y="${bottom + 14}" text-anchor="${anchor}" fill="currentColor" font-size="11">${clockText(time, reach)}</text>`);
  return markup`<g class="axis"><line x1="${PLOT_LEFT}" x2="${PLOT_RIGHT}" y1="${bottom}" y2="${bottom}" stroke="currentColor" stroke-opacity="0.5"/>${labels}<text x="${FIGURE_WIDTH / 2}" y="${bottom + 29}" text-anchor="middle" fill="currentColor" font-size="11">${texts.windowsOf(durationText(change.window_ms))}</text></g>`;
}

/** Seconds matter when the plot spans minutes, and the day when it spans one. */
function clockText(time: number, reach: number): string {
  const iso = new Date(time).toISOString();
  if (reach < 600_000) return iso.slice(11, 19);
  return reach < 43_200_000 ? iso.slice(11, 16) : `${iso.slice(5, 10)} ${iso.slice(11, 16)}`;
}

export function durationText(ms: number): string {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1000} s`;
}

/** What a reader who cannot see the plot is told. */
export function armText(variant: string, {metric, change, texts}: {readonly metric: MetricReport; readonly change: WindowsAround; readonly texts: Texts}): string {
  const side = (of: 'before' | 'after'): string =>
    change.windows
      .filter(row => row.variant === variant && row.side === of)
      .map(({value}) => formatValue(value, metric.unit))
      .join(', ') || texts.label.none;
  return `${variant}: ${texts.beforeAfter(side('before'), side('after'))}`;
}
