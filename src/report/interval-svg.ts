import {type Axis, linearAxis} from './axis.ts';
import {formatEffect, formatInterval} from './format.ts';
import {type Markup, markup} from './markup.ts';
import type {MetricReport, MetricRow} from './report.ts';
import {AXIS_HEIGHT, armColour, bottomAxis, PLOT_LEFT, PLOT_RIGHT, shortName, svgFigure} from './svg.ts';
import {ENGLISH, type Texts} from './texts.ts';

export type IntervalPlot = {readonly id: string; readonly metric: MetricReport; readonly texts?: Texts};

const TOP = 22;
const ROW_HEIGHT = 48;
const TEXT_HEIGHT = 18;

/**
 * Each treatment's effect against zero and the tolerance:
 *
 *      ← worse    0  better →
 *     v2 +0.05 · better
 *     ░░░░┊       │  ├──────━━━●━━━────┤
 *     tolerance      always-valid (thin), fixed-horizon (thick)
 */
export function intervalSvg({id, metric, texts = ENGLISH}: IntervalPlot): Markup {
  const harm = harmLimit(metric);
  const values = [0, harm, ...metric.rows.flatMap(({verdict: v}) => [v.effect_absolute, v.ci_low, v.ci_high, v.cs_low, v.cs_high].flatMap(value => value ?? []))];
  const axis = linearAxis(values, {fromPx: PLOT_LEFT, toPx: PLOT_RIGHT, ticksMax: 5});
  const plotHeight = TOP + metric.rows.length * ROW_HEIGHT;
  const hasEffect = metric.rows.some(row => row.verdict.effect_absolute !== null);
  const rows = metric.rows.map((row, index) => effectRow(row, {axis, metric, texts, harm, colour: armColour(colourIndex(metric, row, index)), top: TOP + index * ROW_HEIGHT}));
  const symbol = metric.unit.isShare ? 'pp' : metric.unit.symbol;
  const label = `${texts.label.difference}${symbol === '' ? '' : ` (${symbol})`}`;
  return svgFigure(
    {
      id,
      kind: 'interval',
      title: `${texts.label.effect}: ${metric.metric}`,
      description: metric.rows.map(row => effectText(row, metric, texts)).join('. '),
      height: plotHeight + (hasEffect ? AXIS_HEIGHT : 0),
    },
    [hasEffect ? [sides(axis, metric, texts), bottomAxis(axis, {plotHeight, label, factor: metric.unit.isShare ? 100 : 1})] : null, rows],
  );
}

const sign = (metric: MetricReport): 1 | -1 => (metric.direction === 'higher' ? 1 : -1);

/** Where harm begins on the axis. */
const harmLimit = (metric: MetricReport): number => -sign(metric) * (metric.tolerance ?? 0);

const colourIndex = (metric: MetricReport, row: MetricRow, index: number): number => {
  const arm = metric.arms.findIndex(({variant}) => variant === row.variant);
  return arm > 0 ? arm : index + 1;
};

/** Harm, tolerance and zero behind one row's bars; its text stays free of lines. */
function rowGround({axis, metric, harm, top}: EffectPlace): Markup {
  const from = top + TEXT_HEIGHT;
  const to = top + ROW_HEIGHT - 4;
  const edge = axis.at(harm);
  const [x, width] = metric.direction === 'higher' ? [PLOT_LEFT, edge - PLOT_LEFT] : [edge, PLOT_RIGHT - edge];
  const line = metric.tolerance === null || metric.tolerance === 0 ? null : markup`<line class="tolerance" x1="${edge}" x2="${edge}" y1="${from}" y2="${to}" stroke="#dc2626" stroke-dasharray="4 3"/>`;
  const zero = axis.at(0);
  return markup`<rect class="harm" x="${x}" y="${from}" width="${Math.max(0, width).toFixed(2)}" height="${to - from}" fill="#dc2626" fill-opacity="0.1"/>${line}<line class="zero" x1="${zero}" x2="${zero}" y1="${from}" y2="${to}" stroke="currentColor" stroke-width="1.5"/>`;
}

/** Says which side is good, each word on its own side as long as there is room. */
function sides(axis: Axis, metric: MetricReport, texts: Texts): Markup {
  const zero = axis.at(0);
  const [left, right] = metric.direction === 'higher' ? [texts.label.worse, texts.label.better] : [texts.label.better, texts.label.worse];
  const leftText = zero - PLOT_LEFT > 60 ? markup`<text x="${zero - 6}" y="14" text-anchor="end" fill="currentColor" fill-opacity="0.75">← ${left}</text>` : null;
  const rightText = PLOT_RIGHT - zero > 60 ? markup`<text x="${zero + 6}" y="14" fill="currentColor" fill-opacity="0.75">${right} →</text>` : null;
  return markup`${leftText}${rightText}`;
}

type EffectPlace = {readonly axis: Axis; readonly metric: MetricReport; readonly texts: Texts; readonly harm: number; readonly colour: string; readonly top: number};

function effectRow(row: MetricRow, place: EffectPlace): Markup {
  const {axis, metric, texts, colour, top} = place;
  const {verdict} = row;
  const middle = top + (TEXT_HEIGHT + ROW_HEIGHT - 4) / 2;
  const effect = verdict.effect_absolute;
  const said = effect === null ? texts.notComputable(row.missing_reason) : `${formatEffect(effect, metric.unit)} · ${texts.reading[row.reading]}`;
  const name = markup`<text x="${PLOT_LEFT}" y="${top + 14}" fill="currentColor"><tspan font-weight="600">${shortName(row.variant, 20)}</tspan> ${shortName(said, 44)}</text>`;
  if (effect === null) return markup`<g class="effect">${name}</g>`;
  const thin = span(axis, verdict.cs_low, verdict.cs_high);
  const thick = span(axis, verdict.ci_low, verdict.ci_high);
  const caps = thin === null ? [] : [thin.from, thin.to].map(x => markup`<line x1="${x}" x2="${x}" y1="${middle - 6}" y2="${middle + 6}" stroke="${colour}" stroke-width="1.5"/>`);
  const thinLine = thin === null ? null : markup`<line class="always-valid" x1="${thin.from}" x2="${thin.to}" y1="${middle}" y2="${middle}" stroke="${colour}" stroke-width="1.5"/>`;
  const thickLine = thick === null ? null : markup`<line class="fixed-horizon" x1="${thick.from}" x2="${thick.to}" y1="${middle}" y2="${middle}" stroke="${colour}" stroke-width="6" stroke-opacity="0.55"/>`;
  return markup`<g class="effect">${name}${rowGround(place)}${thickLine}${thinLine}${caps}<circle cx="${axis.at(effect)}" cy="${middle}" r="4.5" fill="${colour}" stroke="currentColor"/></g>`;
}

/** An infinite end runs to the edge of the plot (the axis clamps). */
const span = (axis: Axis, low: number | null, high: number | null): {readonly from: number; readonly to: number} | null =>
  low === null || high === null ? null : {from: axis.at(low), to: axis.at(high)};

function effectText({verdict, variant, reading, missing_reason: missing}: MetricRow, {unit, tolerance}: MetricReport, texts: Texts): string {
  if (verdict.effect_absolute === null) return `${variant}: ${texts.notComputable(missing)}`;
  const interval = (low: number | null, high: number | null): string => (low === null || high === null ? texts.label.none : formatInterval([low, high], unit, texts.to));
  const limit = tolerance === null ? '' : `, ${texts.label.tolerance} ${formatEffect(tolerance, unit)}`;
  return `${variant}: ${formatEffect(verdict.effect_absolute, unit)}, ${texts.reading[reading]}, ${texts.label.interval} ${interval(verdict.cs_low, verdict.cs_high)}, ${texts.label.fixedInterval} ${interval(verdict.ci_low, verdict.ci_high)}${limit}`;
}
