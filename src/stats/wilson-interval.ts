import type {Interval} from './inference.ts';

/** Wilson's score interval (1927) for a proportion; z is the two-sided critical value. n must be at least 1. */
export function wilsonInterval(successes: number, n: number, z: number): Interval {
  const square = z * z;
  const centre = (successes + square / 2) / (n + square);
  const half = (z / (n + square)) * Math.sqrt((successes * (n - successes)) / n + square / 4);
  return [successes === 0 ? 0 : centre - half, successes === n ? 1 : centre + half];
}
