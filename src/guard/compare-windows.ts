import type {Aggregate, Direction, Metric, Tolerance} from '../core/experiment.ts';
import type {GuardWindow} from '../warehouse/warehouse.ts';
import {statisticOf} from './rules.ts';

/**
 * A variant's window beside control's of the same time.
 *
 *     harmful ──────────┼───────────┼────────── good
 *                   tolerated    control
 *     worse: beyond what is tolerated by more than noise explains
 *     within: not beyond it · unclear: beyond it, but noise may explain it · inconclusive: too few outcomes
 */
export type Comparison = {
  readonly metric: string;
  readonly variant: string;
  readonly aggregate: Aggregate;
  readonly direction: Direction;
  readonly n_control: number;
  readonly n_variant: number;
  readonly control: number | null;
  readonly value: number | null;
  /** value − control. */
  readonly difference: number | null;
  /** Of control; null when control is 0. */
  readonly relative: number | null;
  readonly standard_error: number | null;
  /** In the metric's unit. */
  readonly tolerated: number | null;
  readonly state: 'within' | 'worse' | 'unclear' | 'inconclusive';
  readonly reason: string;
};

export type CompareOptions = {
  readonly metric: Metric;
  readonly tolerate: Tolerance;
  readonly minN: number;
  /** Standard errors that noise may explain. */
  readonly sigmas: number;
};

/** Guards look four times a second for months: at 4 standard errors noise alone breaches one window in 30 000. */
export const COMPARE_SIGMAS = 4;
/** Where nobody says otherwise: 15 % of control, and of shares 0.05 percentage points. */
export const defaultTolerance = ({aggregate}: Metric): Tolerance => (aggregate === 'share' ? {absolute: 0.0005} : {relative: 0.15});

/** Pure. Rows of one window, one of each variant. */
export function compareWindows(variant: string, control: GuardWindow | undefined, treated: GuardWindow | undefined, {metric, tolerate, minN, sigmas}: CompareOptions): Comparison {
  const about = {metric: metric.key, variant, aggregate: metric.aggregate, direction: metric.direction, n_control: control?.n ?? 0, n_variant: treated?.n ?? 0};
  const statistic = statisticOf(metric);
  if (control === undefined || treated === undefined || statistic === 'sum' || statistic === 'n' || Math.min(control.n, treated.n) < minN) {
    const reason = `n = ${about.n_variant} and ${about.n_control} in control; ${minN} each are needed`;
    const seen = (row: GuardWindow | undefined): number | null => (row === undefined ? null : row[statistic]);
    return {...about, control: seen(control), value: seen(treated), difference: null, relative: null, standard_error: null, tolerated: null, state: 'inconclusive', reason};
  }
  const [base, value] = [control[statistic], treated[statistic]];
  const difference = value - base;
  const tolerated = 'absolute' in tolerate ? tolerate.absolute : Math.abs(base) * tolerate.relative;
  const slope = 'absolute' in tolerate ? 1 : 1 + tolerate.relative;
  const standardError = Math.hypot(treated.errors[statistic], slope * control.errors[statistic]);
  const harm = metric.direction === 'lower' ? difference : -difference;
  const numbers = {control: base, value, difference, relative: base === 0 ? null : difference / Math.abs(base), standard_error: Number.isFinite(standardError) ? standardError : null, tolerated};
  const text = `${shown(value)} against ${shown(base)} of control, ${shown(Math.abs(difference))} ${harm > 0 ? 'worse' : 'better'}; tolerated ${shown(tolerated)}, noise ${shown(sigmas * standardError)}`;
  if (!Number.isFinite(standardError)) return {...about, ...numbers, state: 'inconclusive', reason: `${text}: too few outcomes for an error`};
  if (harm <= tolerated) return {...about, ...numbers, state: 'within', reason: text};
  return {...about, ...numbers, state: harm - sigmas * standardError > tolerated ? 'worse' : 'unclear', reason: text};
}

const shown = (value: number): string => String(Number(value.toPrecision(4)));
