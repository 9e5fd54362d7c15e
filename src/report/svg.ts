import {formatNumber} from './format.ts';
import type {Axis} from './axis.ts';
import {type Markup, type MarkupPart, markup} from './markup.ts';

/*
 * Figures are drawn for a phone (360 units wide, 12-unit text) and stand alone: they
 * name their colours themselves and take text and lines from `currentColor`, so the same
 * string works on a light page, on a dark page and as a picture for a chat.
 */
export const FIGURE_WIDTH = 360;
export const PLOT_LEFT = 12;
export const PLOT_RIGHT = FIGURE_WIDTH - 12;
export const AXIS_HEIGHT = 40;

/** Distinct in brightness too, and readable on white and on near-black. */
const ARM_COLOURS: readonly string[] = ['#7a869a', '#2f81f7', '#d97706', '#16a34a', '#a855f7', '#e11d48'];

/** Control is always grey; treatments have the colour of their place. */
export const armColour = (index: number): string =>
  index === 0 ? '#7a869a' : (ARM_COLOURS[1 + ((index - 1) % (ARM_COLOURS.length - 1))] ?? '#2f81f7');

export type Figure = {
  /** Unique in its page. */
  readonly id: string;
  readonly kind: 'box-plot' | 'interval' | 'pairs' | 'around';
  readonly title: string;
  /** What a person who cannot see it needs: the numbers. */
  readonly description: string;
  readonly height: number;
};

export function svgFigure(figure: Figure, content: MarkupPart): Markup {
  const {id, title, description, height} = figure;
  return markup`<svg xmlns="http://www.w3.org/2000/svg" class="figure ${figure.kind}" viewBox="0 0 ${FIGURE_WIDTH} ${height}" role="img" aria-labelledby="${id}-title ${id}-desc" font-family="system-ui, sans-serif" font-size="12"><title id="${id}-title">${title}</title><desc id="${id}-desc">${description}</desc>${content}</svg>`;
}

/** Ticks with grid lines below the plot, and the axis' name with its unit. */
export function bottomAxis(axis: Axis, {plotHeight, label, factor}: {readonly plotHeight: number; readonly label: string; readonly factor: number}): Markup {
  const ticks = axis.ticks.map(tick => {
    const x = axis.at(tick);
    return markup`<line x1="${x}" x2="${x}" y1="0" y2="${plotHeight}" stroke="currentColor" stroke-opacity="0.15"/><text x="${x}" y="${plotHeight + 14}" text-anchor="${tickAnchor(x)}" fill="currentColor" font-size="11">${formatNumber(tick * factor)}</text>`;
  });
  return markup`<g class="axis">${ticks}<line x1="${PLOT_LEFT}" x2="${PLOT_RIGHT}" y1="${plotHeight}" y2="${plotHeight}" stroke="currentColor" stroke-opacity="0.5"/><text x="${FIGURE_WIDTH / 2}" y="${plotHeight + 32}" text-anchor="middle" fill="currentColor">${label}</text></g>`;
}

/** Labels at the edges grow inwards, so that none is cut off. */
const tickAnchor = (x: number): string => (x < 18 ? 'start' : x > FIGURE_WIDTH - 18 ? 'end' : 'middle');

/** Long names are cut in the picture; the description keeps them whole. */
export const shortName = (name: string, charsMax: number): string => {
  const characters = [...name];
  return characters.length <= charsMax ? name : `${characters.slice(0, charsMax - 1).join('')}…`;
};
