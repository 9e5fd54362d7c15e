import type {ExperimentView} from '../core/experiment.ts';
import type {EpochMs} from '../core/units.ts';
import type {GuardAsk, GuardStore, GuardWindow} from '../warehouse/warehouse.ts';
import {statisticOf} from './rules.ts';

/** A piece of time in which a variant would have been cut off. */
export type Stretch = {readonly from: EpochMs; readonly to: EpochMs};

/** What a variant did while it would have been cut off. */
export type Prevented = {
  /** Its outcomes, by the metric that has most of them. */
  readonly outcomes: number;
  readonly metrics: readonly PreventedMetric[];
};

export type PreventedMetric = {
  readonly metric: string;
  readonly n: number;
  /** Null for a quantile over several phases, and without outcomes. */
  readonly value: number | null;
  readonly control: number | null;
  /** How much more harm than the same outcomes of control: of a share, outcomes; of a mean, its sum. Null for other aggregates. */
  readonly excess: number | null;
};

export type PreventedRequest = {
  readonly warehouse: Pick<GuardStore, 'guardHistory'>;
  readonly view: ExperimentView;
  readonly variant: string;
  /** Those that the guard looks at. */
  readonly metrics: readonly string[];
  readonly stretches: readonly Stretch[];
};

/** Windows of one question, so that an experiment with many changes stays a query of bounded size. */
const ASKS_MAX = 200;

export async function preventedIn({warehouse, view, variant, metrics, stretches}: PreventedRequest): Promise<Prevented> {
  const {stream, experiment, definition, phases} = view;
  const asks = stretches.flatMap(({from, to}) =>
    phases
      .filter(({validFrom, validTo}) => validFrom < to && (validTo ?? Number.POSITIVE_INFINITY) > from && from < to)
      .map(({phase}): GuardAsk => ({experiment, phase, sizeMs: to - from, metrics: definition.metrics.map(({key}) => key), ends: [to]})),
  );
  const rows: GuardWindow[] = [];
  for (let first = 0; first < asks.length; first += ASKS_MAX) rows.push(...(await warehouse.guardHistory(stream, asks.slice(first, first + ASKS_MAX))));
  const mine = rows.filter(row => row.variant === variant);
  const counts = definition.metrics.map(({key}) => mine.filter(({metric}) => metric === key).reduce((sum, {n}) => sum + n, 0));
  return {
    outcomes: Math.max(0, ...counts),
    metrics: metrics.flatMap(key => measured(view, key, {treated: mine.filter(({metric}) => metric === key), control: rows.filter(row => row.variant === definition.control && row.metric === key)})),
  };
}

function measured({definition}: ExperimentView, key: string, {treated, control}: {readonly treated: readonly GuardWindow[]; readonly control: readonly GuardWindow[]}): PreventedMetric[] {
  const metric = definition.metrics.find(one => one.key === key);
  if (metric === undefined) return [];
  const [value, base] = [valueOver(treated, statisticOf(metric)), valueOver(control, statisticOf(metric))];
  const n = treated.reduce((sum, row) => sum + row.n, 0);
  const isSum = metric.aggregate === 'share' || metric.aggregate === 'mean';
  const sign = metric.direction === 'lower' ? 1 : -1;
  return [{metric: key, n, value, control: base, excess: isSum && value !== null && base !== null ? sign * n * (value - base) : null}];
}

function valueOver(rows: readonly GuardWindow[], statistic: ReturnType<typeof statisticOf>): number | null {
  const [first, ...others] = rows;
  if (first === undefined) return null;
  if (others.length === 0) return first[statistic];
  const n = rows.reduce((sum, row) => sum + row.n, 0);
  if (statistic === 'n') return n;
  if (statistic === 'sum') return rows.reduce((sum, row) => sum + row.sum, 0);
  return statistic === 'mean' ? rows.reduce((sum, row) => sum + row.mean * row.n, 0) / n : null;
}
