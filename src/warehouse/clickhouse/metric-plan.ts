import {unreachable} from '../../core/assert.ts';
import type {OutcomeStatus} from '../../core/events.ts';
import type {ExperimentView, Metric} from '../../core/experiment.ts';

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
 * The definitions that a recompute needs, as the JSON parameter `plan` of
 * `slices-recompute.sql`: columns of one array per fact about an experiment (by its
 * index from 1) or about an entry, which is a metric under one dimension.
 */
export function metricPlan(views: readonly ExperimentView[]): string {
  const entries = views.flatMap((view, index) =>
    view.definition.metrics.flatMap(metric => ['', ...metric.dimensions].map(dimension => ({metric, dimension, experiment: index + 1}))),
  );
  const names = [...new Set(entries.flatMap(({metric}) => measuresOf(metric)))];
  const at = (name: string): number => names.indexOf(name) + 1;
  const phases = views.map(view => [...view.phases].sort((a, b) => a.phase - b.phase));
  return JSON.stringify({
    experiments: views.map(view => view.experiment),
    config_versions: views.map(view => view.version),
    split: views.filter(isSplit).map(view => view.experiment),
    paired: views.flatMap((view, index) => (isSplit(view) ? [] : [index + 1])),
    variants: views.map(view => view.definition.variants.map(({key}) => key)),
    phases: phases.map(spans => spans.map(({phase}) => phase)),
    starts: phases.map(spans => spans.map(({validFrom}) => validFrom)),
    ends: phases.map(spans => spans.map(({validTo}) => validTo ?? 0)),
    has_ends: phases.some(spans => spans.some(({validTo}) => validTo !== null)) ? 1 : 0,
    names,
    entries_of: views.map((_, index) => entries.flatMap(({experiment}, entry) => (experiment === index + 1 ? [entry + 1] : []))),
    experiment_of: entries.map(({experiment}) => experiment),
    metrics: entries.map(({metric}) => metric.key),
    kinds: entries.map(({metric}) => metricKind(metric)),
    values_at: entries.map(({metric}) => at(valueMeasure(metric))),
    denominators_at: entries.map(({metric}) => at(metric.denominator)),
    status_masks: entries.map(({metric}) => statusMask(metric.status)),
    multipliers: entries.map(({metric}) => 10 ** metric.scale),
    scales: entries.map(({metric}) => metric.scale),
    attributions: entries.map(({metric}) => metric.attributionMs),
    dimensions: entries.map(({dimension}) => dimension),
  });
}

const isSplit = (view: ExperimentView): boolean => view.definition.design === 'split';

function measuresOf(metric: Metric): string[] {
  const kind = metricKind(metric);
  if (kind === 1) return [];
  return kind === 2 ? [metric.numerator, metric.denominator] : [metric.measure];
}

const statusMask = (statuses: readonly OutcomeStatus[]): number => statuses.reduce((mask, status) => mask | (1 << STATUS_BITS[status]), 0);
