import type {HealthMetric, Metric} from '../core/experiment.ts';
import {gradeOf, type Health} from '../quality/service-measures.ts';
import {compositeScore} from '../stats/composite-score.ts';
import type {GuardWindow} from '../warehouse/warehouse.ts';
import {statisticOf} from './rules.ts';

export type HealthScore = {
  readonly variant: string;
  /** 0 to 1; null while a metric has too few outcomes. */
  readonly score: number | null;
  readonly grade: Health['grade'] | null;
  /** The score if noise made every metric look worse than it is, by `sigmas` standard errors. */
  readonly best_case: number | null;
  /** By metric, 0 to 1. */
  readonly components: Readonly<Record<string, number>>;
  /** The fewest outcomes a metric has. */
  readonly n: number;
  readonly reason: string;
};

export type HealthOptions = {
  readonly health: readonly HealthMetric[];
  readonly metrics: readonly Metric[];
  readonly minN: number;
  readonly sigmas: number;
};

/** Pure: the weighted mean of a variant's metrics in one window, each from 0 (`worst`) to 1 (`best`). */
export function healthScore(variant: string, rows: readonly GuardWindow[], {health, metrics, minN, sigmas}: HealthOptions): HealthScore {
  const measured = health.map(one => {
    const row = rows.find(({metric, variant: of}) => metric === one.metric && of === variant);
    const statistic = statisticOf(metrics.find(({key}) => key === one.metric));
    const error = row === undefined || statistic === 'sum' || statistic === 'n' ? 0 : row.errors[statistic];
    return {...one, n: row?.n ?? 0, value: row?.[statistic] ?? 0, error: Number.isFinite(error) ? error : 0};
  });
  const n = Math.min(...measured.map(one => one.n));
  const short = measured.find(one => one.n < Math.max(1, minN));
  const nothing = {variant, score: null, grade: null, best_case: null, components: {}, n};
  if (short !== undefined) return {...nothing, reason: `${short.metric} has n = ${short.n}; ${minN} are needed`};
  const scored = (shift: number) =>
    compositeScore({metrics: measured.map(({metric, value, error, best, worst, weight}) => ({name: metric, value: value + shift * Math.sign(best - worst) * error, best, worst, weight}))});
  const [result, bestCase] = [scored(0), scored(sigmas)];
  if (result.status !== 'ok' || bestCase.status !== 'ok') return {...nothing, reason: result.status === 'ok' ? 'not computable' : result.reason};
  const {score, components} = result;
  const parts = Object.entries(components).map(([metric, part]) => `${metric} ${part.toFixed(2)}`);
  return {variant, score, grade: gradeOf(score), best_case: bestCase.score, components, n, reason: `health score ${score.toFixed(3)} (${parts.join(', ')})`};
}
