import {unreachable} from '../../core/assert.ts';
import type {OutcomeStatus} from '../../core/events.ts';
import type {ExperimentView, Metric} from '../../core/experiment.ts';
import type {SqlParams} from './connection.ts';

/** What a metric takes from an outcome: a measure, whether its status is wanted, or two measures. */
export type MetricKind = 0 | 1 | 2;

/** The bit of each status in a mask; `slices-recompute.sql` numbers them the same way. */
const STATUS_BITS: Readonly<Record<OutcomeStatus, number>> = {ok: 0, client_error: 1, server_error: 2, timeout: 3};

export function metricKind(metric: Metric): MetricKind {
  switch (metric.aggregate) {
    case 'share':
      return 1;
    case 'ratio':
      return 2;
    case 'mean':
    case 'total':
    case 'conversion':
    case 'p50':
    case 'p95':
    case 'p99':
      return 0;
    default:
      return unreachable(metric.aggregate);
  }
}

/** The measure whose values are summed; '' for a share. */
export const valueMeasure = (metric: Metric): string => (metric.aggregate === 'ratio' ? metric.numerator : metric.measure);

/**
 * The definitions that a recompute needs, as parameters of `slices-recompute.sql`: one array per fact about an
 * experiment (by its number from 1) or about an entry, which is a metric under one dimension. Each array is a parameter
 * of its own: as parts of one value the engine would copy and hash the whole at each use, a second of planning at 500 experiments.
 */
export function metricPlan(views: readonly ExperimentView[]): SqlParams {
  const entries = views.flatMap((view, index) =>
    view.definition.metrics.flatMap(metric => ['', ...metric.dimensions].map(dimension => ({metric, dimension, experiment: index + 1}))),
  );
  const names = [...new Set(entries.flatMap(({metric}) => measuresOf(metric)))];
  const placeOf = new Map(names.map((name, index) => [name, index + 1]));
  const at = (name: string): number => placeOf.get(name) ?? 0;
  const phases = views.map(view => [...view.phases].sort((a, b) => a.phase - b.phase));
  const entriesOf = views.map((): number[] => []);
  for (const [index, {experiment}] of entries.entries()) entriesOf[experiment - 1]?.push(index + 1);
  return {
    experiments: views.map(view => view.experiment),
    config_versions: views.map(view => view.version),
    split: views.filter(isSplit).map(view => view.experiment),
    paired: views.filter(view => !isSplit(view)).map(view => view.experiment),
    variants_of: views.map(view => view.definition.variants.map(({key}) => key)),
    phases_of: phases.map(spans => spans.map(({phase}) => phase)),
    starts_of: phases.map(spans => spans.map(({validFrom}) => validFrom)),
    ends_of: phases.map(spans => spans.map(({validTo}) => validTo ?? 0)),
    has_ends: phases.some(spans => spans.some(({validTo}) => validTo !== null)),
    has_dimensions: entries.some(({dimension}) => dimension !== ''),
    has_ratios: entries.some(({metric}) => metricKind(metric) === 2),
    measure_names: names,
    entries_of: entriesOf,
    experiment_of: entries.map(({experiment}) => experiment),
    metric_of: entries.map(({metric}) => metric.key),
    kinds: entries.map(({metric}) => metricKind(metric)),
    values_at: entries.map(({metric}) => at(valueMeasure(metric))),
    denominators_at: entries.map(({metric}) => at(metric.denominator)),
    status_masks: entries.map(({metric}) => statusMask(metric.status)),
    multipliers: entries.map(({metric}) => 10 ** metric.scale),
    scales: entries.map(({metric}) => metric.scale),
    attributions: entries.map(({metric}) => metric.attributionMs),
    dimensions: entries.map(({dimension}) => dimension),
  };
}

const isSplit = (view: ExperimentView): boolean => view.definition.design === 'split';

function measuresOf(metric: Metric): string[] {
  const kind = metricKind(metric);
  if (kind === 1) return [];
  return kind === 2 ? [metric.numerator, metric.denominator] : [metric.measure];
}

const statusMask = (statuses: readonly OutcomeStatus[]): number => statuses.reduce((mask, status) => mask | (1 << STATUS_BITS[status]), 0);
