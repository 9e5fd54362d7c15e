import {useEffect, useRef} from 'preact/hooks';
import Plot from 'uplot';
import {formatNumber} from '../../report/format.ts';
import {visible} from '../../report/markup.ts';
import {useShell} from '../context.ts';

export type Line = {readonly label: string; readonly colour: string; readonly values: readonly (number | null)[]; readonly isThin?: boolean};
/** A vertical line, or a shaded stretch up to the right edge. */
export type Mark = {readonly at: number; readonly label: string; readonly kind: 'line' | 'dashed' | 'shade-right'};

type ChartProps = {
  /** What somebody who does not see it needs; the numbers are in a table beside it. */
  readonly label: string;
  /** Seconds since 1970, ascending. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly marks?: readonly Mark[];
  /** Indices of `lines` that bound a band: upper, lower. */
  readonly band?: readonly [number, number];
  readonly hasZero?: boolean;
};

const HEIGHT = 280;
/** Few points are drawn as such: a line through one of them is nothing. */
const POINTS_SHOWN_MAX = 30;

/** Lines over time. Drawn anew only when its shape changes; new values are moved in. */
export function Chart(props: ChartProps) {
  const {theme} = useShell();
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const shape = JSON.stringify([theme, props.times.length <= POINTS_SHOWN_MAX, props.lines.map(({label, colour}) => [label, colour]), props.band, props.hasZero]);

  useEffect(() => {
    const holder = element.current;
    if (holder === null) return undefined;
    const made = new Plot(optionsOf(latest, holder.clientWidth), dataOf(latest.current), holder);
    plot.current = made;
    const resize = new ResizeObserver(() => made.setSize({width: holder.clientWidth, height: HEIGHT}));
    resize.observe(holder);
    return () => {
      resize.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => {
    plot.current?.setData(dataOf(props));
  });
  return <div class="chart" role="img" aria-label={props.label} ref={element} />;
}

const dataOf = ({times, lines}: ChartProps): Plot.AlignedData => [[...times], ...lines.map(({values}) => [...values])] as Plot.AlignedData;

function optionsOf(latest: {readonly current: ChartProps}, width: number): Plot.Options {
  const style = getComputedStyle(document.documentElement);
  const colourOf = (name: string): string => style.getPropertyValue(name).trim();
  const [text, grid] = [colourOf('--soft'), colourOf('--line')];
  const axis = {stroke: text, grid: {stroke: grid, width: 1}, ticks: {stroke: grid, width: 1}, font: '12px system-ui, sans-serif'};
  const {lines, band, hasZero} = latest.current;
  return {
    width,
    height: HEIGHT,
    // The data's own clock, as every other time on the page.
    tzDate: (seconds: number) => Plot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    cursor: {drag: {x: true, y: false}},
    legend: {show: true},
    scales: {x: {range: (_plot, low, high) => timeRange(latest.current, low, high)}, y: {range: (_plot, low, high) => padded(hasZero === true ? Math.min(0, low) : low, hasZero === true ? Math.max(0, high) : high)}},
    axes: [{...axis, space: 70, values: (_plot, splits, _axis, _space, step) => splits.map(at => clockText(at, step))}, {...axis, size: 70, values: (_plot, splits) => splits.map(value => formatNumber(value, 3))}],
    series: [
      {label: 'UTC', value: (_plot: Plot, at: number | null) => (at === null ? '–' : new Date(at * 1000).toISOString().slice(0, 19).replace('T', ' '))},
      ...lines.map(({label, colour, isThin}) => ({
        label: visible(label),
        stroke: colour.startsWith('--') ? colourOf(colour) : colour,
        width: isThin === true ? 1 : 2,
        spanGaps: false,
        points: {show: latest.current.times.length <= POINTS_SHOWN_MAX, size: 6},
        value: (_plot: Plot, value: number | null) => (value === null ? '–' : formatNumber(value)),
      })),
    ],
    bands: band === undefined ? [] : [{series: [band[0] + 1, band[1] + 1], fill: `${colourOf('--accent')}2e`}],
    hooks: {drawClear: [plot => drawMarks(plot, latest.current, {zero: hasZero === true ? text : null, line: text, shade: colourOf('--quiet-ground')})]},
  };
}

/** Marks before or after the data are part of the picture; a single instant gets some room. */
function timeRange({marks = [], times}: ChartProps, low: number, high: number): [number, number] {
  if (times.length === 0) return [low, high];
  const [first = low, last = high] = [times[0], times.at(-1)];
  // Only what is dragged over is shown when somebody zooms in.
  if (low > first || high < last) return [low, high];
  const lines = marks.filter(({kind}) => kind !== 'shade-right').map(({at}) => at);
  const [from, to] = [Math.min(first, ...lines), Math.max(last, ...lines)];
  return from === to ? [from - 300, to + 300] : [from, to];
}

const clockText = (at: number, stepSeconds: number): string => {
  const iso = new Date(at * 1000).toISOString();
  return stepSeconds >= 86_400 ? iso.slice(0, 10) : stepSeconds >= 60 ? iso.slice(11, 16) : iso.slice(11, 19);
};

function padded(low: number, high: number): [number, number] {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const room = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

function drawMarks(plot: Plot, {marks = []}: ChartProps, colours: {readonly zero: string | null; readonly line: string; readonly shade: string}): void {
  const {ctx, bbox} = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const {at, kind} of marks) {
    const x = plot.valToPos(at, 'x', true);
    if (kind === 'shade-right') {
      ctx.fillStyle = colours.shade;
      ctx.fillRect(x, bbox.top, bbox.left + bbox.width - x, bbox.height);
      continue;
    }
    strokeLine(ctx, {colour: colours.line, dash: kind === 'dashed' ? [6, 5] : [], from: [x, bbox.top], to: [x, bbox.top + bbox.height]});
  }
  if (colours.zero !== null) {
    const y = plot.valToPos(0, 'y', true);
    strokeLine(ctx, {colour: colours.zero, dash: [], from: [bbox.left, y], to: [bbox.left + bbox.width, y]});
  }
  ctx.restore();
}

type Stroke = {readonly colour: string; readonly dash: number[]; readonly from: readonly [number, number]; readonly to: readonly [number, number]};

function strokeLine(ctx: CanvasRenderingContext2D, {colour, dash, from, to}: Stroke): void {
  ctx.beginPath();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1;
  ctx.setLineDash(dash);
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
}
