import type {ArmEvidence} from '../core/verdict.ts';
import {type Axis, linearAxis} from './axis.ts';
import {formatCount, formatValue} from './format.ts';
import {type Markup, markup} from './markup.ts';
import type {Unit} from './report.ts';
import {AXIS_HEIGHT, armColour, bottomAxis, PLOT_LEFT, PLOT_RIGHT, shortName, svgFigure} from './svg.ts';
import {ENGLISH, type Texts} from './texts.ts';

export type BoxPlot = {
  readonly id: string;
  readonly metric: string;
  readonly unit: Unit;
  /** Control first. */
  readonly arms: readonly ArmEvidence[];
  readonly texts?: Texts;
};

type DrawnArm = ArmEvidence & {readonly p25: number; readonly p50: number; readonly p75: number};

const ROW_HEIGHT = 52;
const BOX_HEIGHT = 20;

/**
 * One row per arm:
 *
 *     v2  n 1,980
 *       ├────┌──────┃──◆────┐────────┤
 *      whisker p25 p50 mean p75    whisker
 */
export function boxPlotSvg({id, metric, unit, arms, texts = ENGLISH}: BoxPlot): Markup {
  const values = arms.filter(isDrawn).flatMap(extent);
  const axis = linearAxis(values, {fromPx: PLOT_LEFT, toPx: PLOT_RIGHT, ticksMax: 5});
  const plotHeight = Math.max(1, arms.length) * ROW_HEIGHT;
  const rows = arms.map((arm, index) => armRow(arm, {axis, index, texts}));
  const label = unit.symbol === '' ? metric : `${shortName(metric, 40)} (${unit.symbol})`;
  return svgFigure(
    {
      id,
      kind: 'box-plot',
      title: `${texts.label.distribution}: ${metric}`,
      description: arms.map(arm => armText(arm, unit, texts)).join('. '),
      height: plotHeight + (values.length === 0 ? 0 : AXIS_HEIGHT),
    },
    [values.length === 0 ? null : bottomAxis(axis, {plotHeight, label, factor: unit.isShare ? 100 : 1}), rows],
  );
}

const isDrawn = (arm: ArmEvidence): arm is DrawnArm => arm.p25 !== null && arm.p50 !== null && arm.p75 !== null;

const extent = (arm: DrawnArm): number[] =>
  [arm.whisker_low, arm.p25, arm.p75, arm.whisker_high, arm.mean].flatMap(value => value ?? []);

type RowPlace = {readonly axis: Axis; readonly index: number; readonly texts: Texts};

function armRow(arm: ArmEvidence, {axis, index, texts}: RowPlace): Markup {
  const top = index * ROW_HEIGHT;
  const name = markup`<text x="${PLOT_LEFT}" y="${top + 14}" fill="currentColor"><tspan font-weight="600">${shortName(arm.variant, 32)}</tspan> n ${formatCount(arm.outcomes)}</text>`;
  if (!isDrawn(arm)) {
    return markup`<g class="arm">${name}<text x="${PLOT_LEFT}" y="${top + 36}" fill="currentColor" fill-opacity="0.7">${texts.notComputable(texts.why.no_data)}</text></g>`;
  }
  const colour = armColour(index);
  const boxTop = top + 22;
  const middle = boxTop + BOX_HEIGHT / 2;
  const [left, median, right] = [axis.at(arm.p25), axis.at(arm.p50), axis.at(arm.p75)];
  const low = axis.at(arm.whisker_low ?? arm.p25);
  const high = axis.at(arm.whisker_high ?? arm.p75);
  const cap = (x: number): Markup => markup`<line class="cap" x1="${x}" x2="${x}" y1="${middle - 6}" y2="${middle + 6}" stroke="${colour}" stroke-width="2"/>`;
  const mean = arm.mean === null ? null : diamond(axis.at(arm.mean), middle);
  return markup`<g class="arm">${name}<line class="whisker" x1="${low}" x2="${left}" y1="${middle}" y2="${middle}" stroke="${colour}" stroke-width="2"/><line class="whisker" x1="${right}" x2="${high}" y1="${middle}" y2="${middle}" stroke="${colour}" stroke-width="2"/>${cap(low)}${cap(high)}<rect class="box" x="${left}" y="${boxTop}" width="${Math.max(1, right - left).toFixed(2)}" height="${BOX_HEIGHT}" rx="2" fill="${colour}" fill-opacity="0.25" stroke="${colour}" stroke-width="2"/><line class="median" x1="${median}" x2="${median}" y1="${boxTop}" y2="${boxTop + BOX_HEIGHT}" stroke="${colour}" stroke-width="4"/>${mean}</g>`;
}

const diamond = (x: number, y: number): Markup =>
  markup`<path class="mean" d="M${x} ${y - 5}l5 5l-5 5l-5 -5z" fill="currentColor"/>`;

function armText(arm: ArmEvidence, unit: Unit, texts: Texts): string {
  if (!isDrawn(arm)) return `${arm.variant}: ${texts.notComputable(texts.why.no_data)}`;
  const value = (number: number | null): string => (number === null ? '–' : formatValue(number, unit));
  return `${arm.variant}: n ${formatCount(arm.outcomes)}, ${texts.label.whiskers} ${value(arm.whisker_low)} ${texts.to} ${value(arm.whisker_high)}, ${texts.label.quartiles} ${value(arm.p25)}, ${value(arm.p50)}, ${value(arm.p75)}, ${texts.label.mean} ${value(arm.mean)}`;
}
