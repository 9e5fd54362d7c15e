import {histogramQuantile} from '../core/histogram.ts';

/**
 * The standard error of a quantile, from the order statistics one standard error of the
 * binomial rank away on either side. NaN when that reaches beyond the sample.
 */
export function quantileError(histogram: readonly (readonly [bucket: number, count: number])[], p: number, bounds: {readonly min: number; readonly max: number}): number {
  const n = histogram.reduce((sum, [, count]) => sum + count, 0);
  const step = Math.sqrt((p * (1 - p)) / n);
  if (!(p + step < 1)) return Number.NaN;
  return (histogramQuantile(histogram, p + step, bounds) - histogramQuantile(histogram, Math.max(0, p - step), bounds)) / 2;
}
