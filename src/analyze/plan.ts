import {normal} from '../stats/normal.ts';
import type {Sequential} from './sequential.ts';

/** What the present sample can see, and how long until it sees what matters. */
export type Plan = {
  readonly power: number;
  /** Smallest true effect found with that power by the fixed-horizon test at the corrected alpha, with the present standard error. */
  readonly mde: number | null;
  /** Observations until `mde` is as small as the metric's `min_effect`; null without one. */
  readonly n_needed: number | null;
  /** At the rate so far; 0 once reached. */
  readonly days_left: number | null;
};

export type PlanInputs = {
  readonly sequential: Sequential;
  readonly alpha: number;
  readonly minEffect: number;
  readonly runMs: number | null;
};

const POWER = 0.8;
const DAY_MS = 86_400_000;

/** MDE = (z(1 − α/2) + z(power))·SE, and SE falls with √n (Bloom 1995). */
export function planOf({sequential, alpha, minEffect, runMs}: PlanInputs): Plan {
  const {n, standardError} = sequential;
  if (standardError === null || !(standardError > 0)) return {power: POWER, mde: null, n_needed: null, days_left: null};
  const mde = (normal.quantile(POWER) - normal.quantile(alpha / 2)) * standardError;
  if (!(minEffect > 0)) return {power: POWER, mde, n_needed: null, days_left: null};
  const needed = Math.ceil(n * (mde / minEffect) ** 2);
  const daysSoFar = runMs === null ? 0 : runMs / DAY_MS;
  const daysLeft = daysSoFar > 0 ? Math.max(0, needed / n - 1) * daysSoFar : null;
  return {power: POWER, mde, n_needed: needed, days_left: daysLeft};
}
