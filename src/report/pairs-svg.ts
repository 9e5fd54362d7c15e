import {pairText} from './cells.ts';
import {formatCount} from './format.ts';
import {type Markup, markup} from './markup.ts';
import type {MetricReport, PairView} from './report.ts';
import {PLOT_LEFT, PLOT_RIGHT, shortName, svgFigure} from './svg.ts';
import {ENGLISH, type Texts} from './texts.ts';

export type PairsPlot = {readonly id: string; readonly metric: MetricReport; readonly texts?: Texts};

const ROW_HEIGHT = 62;
const BAR_TOP = 22;
const BAR_HEIGHT = 16;

/**
 * One bar per treatment over the items that both variants answered:
 *
 *     v2
 *     ▓▓▓▓▓▓▓▓▓▓▓▓▒▒▒▒░░░░░░░░
 *     better 62    equal 9   worse 29
 */
export function pairsSvg({id, metric, texts = ENGLISH}: PairsPlot): Markup {
  const shown = metric.rows.flatMap(({variant, pairs}) => (pairs === null ? [] : [{variant, pairs}]));
  return svgFigure(
    {
      id,
      kind: 'pairs',
      title: `${texts.label.pairs}: ${metric.metric}`,
      description: shown.map(({variant, pairs}) => `${variant}: ${pairText(pairs, texts)}`).join('. '),
      height: shown.length * ROW_HEIGHT,
    },
    shown.map(({variant, pairs}, index) => pairRow(pairs, {variant, top: index * ROW_HEIGHT, texts})),
  );
}

type RowPlace = {readonly variant: string; readonly top: number; readonly texts: Texts};

function pairRow({better, equal, worse}: PairView, {variant, top, texts}: RowPlace): Markup {
  const {label} = texts;
  const all = better + equal + worse;
  const width = PLOT_RIGHT - PLOT_LEFT;
  const widthOf = (count: number): number => (all === 0 ? 0 : (count / all) * width);
  const bar = (kind: string, colour: string, {from, count}: {readonly from: number; readonly count: number}): Markup =>
    markup`<rect class="${kind}" x="${(PLOT_LEFT + from).toFixed(2)}" y="${top + BAR_TOP}" width="${widthOf(count).toFixed(2)}" height="${BAR_HEIGHT}" fill="${colour}"/>`;
  const word = (x: number, anchor: string, text: string): Markup =>
    markup`<text x="${x}" y="${top + BAR_TOP + BAR_HEIGHT + 15}" text-anchor="${anchor}" fill="currentColor" font-size="11">${text}</text>`;
  return markup`<g class="pairs"><text x="${PLOT_LEFT}" y="${top + 14}" fill="currentColor" font-weight="600">${shortName(variant, 40)}</text>${[
    bar('wins', '#16a34a', {from: 0, count: better}),
    bar('ties', '#7a869a', {from: widthOf(better), count: equal}),
    bar('losses', '#dc2626', {from: widthOf(better + equal), count: worse}),
    word(PLOT_LEFT, 'start', `${label.better} ${formatCount(better)}`),
    word((PLOT_LEFT + PLOT_RIGHT) / 2, 'middle', `${label.equal} ${formatCount(equal)}`),
    word(PLOT_RIGHT, 'end', `${label.worse} ${formatCount(worse)}`),
  ]}</g>`;
}
