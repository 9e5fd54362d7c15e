/** A linear axis: a domain, its round ticks and the place of a value in pixels. */
export type Axis = {
  readonly ticks: readonly number[];
  readonly at: (value: number) => number;
};

export type AxisSpan = {readonly fromPx: number; readonly toPx: number; readonly ticksMax: number};

/** A span below these has no twelve digits between its ticks: it is drawn as one value. */
const FLAT_RELATIVE = 1e-9;
const FLAT_ABSOLUTE = 1e-300;

/** Covers all finite values with a margin; a single value gets room on both sides. */
export function linearAxis(values: readonly number[], {fromPx, toPx, ticksMax}: AxisSpan): Axis {
  // Beyond this a difference of two values is no longer finite.
  const finite = values.filter(value => Math.abs(value) < 1e150);
  const low = finite.length === 0 ? 0 : Math.min(...finite);
  const high = finite.length === 0 ? 1 : Math.max(...finite);
  const isFlat = high - low <= Math.max(FLAT_RELATIVE * Math.max(Math.abs(low), Math.abs(high)), FLAT_ABSOLUTE);
  const room = isFlat ? Math.max(Math.abs(low) * 0.05, 1e-9) : (high - low) * 0.04;
  const from = low - room;
  const to = high + room;
  const clamp = (value: number): number => (Number.isNaN(value) ? from : Math.min(to, Math.max(from, value)));
  return {
    ticks: roundTicks(from, to, ticksMax),
    at: value => round(fromPx + ((clamp(value) - from) / (to - from)) * (toPx - fromPx)),
  };
}

/** Multiples of 1, 2 or 5 times a power of ten inside [from, to]. */
function roundTicks(from: number, to: number, ticksMax: number): number[] {
  const rough = (to - from) / Math.max(1, ticksMax);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(candidate => candidate >= rough) ?? 10 * power;
  const first = Math.ceil(from / step);
  const count = Math.min(ticksMax + 1, Math.floor(to / step) - first + 1);
  // (first + i)·step carries float noise such as 0.30000000000000004; twelve digits are enough for a label.
  return Array.from({length: Math.max(0, count)}, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** Two decimals are finer than a pixel and keep files small. */
const round = (px: number): number => Math.round(px * 100) / 100;
