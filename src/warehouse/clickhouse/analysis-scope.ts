import type {Metric} from '../../core/experiment.ts';
import type {AnalysisScope} from '../warehouse.ts';
import type {SqlParams} from './connection.ts';
import {metricKind, valueMeasure} from './metric-plan.ts';
import {loadQuery} from './query-file.ts';

/** Parameters of the queries that read one experiment × phase; without a metric an outcome counts for ever. */
export function scopeParams({stream, view, phase, cut}: AnalysisScope, metric: Metric | null): SqlParams {
  const spans = [...view.phases].sort((a, b) => a.phase - b.phase);
  const validTo = spans.find(span => span.phase === phase)?.validTo ?? null;
  return {
    stream,
    experiment: view.experiment,
    phase,
    cut_ms: cut,
    end_ms: validTo === null || metric === null ? 0 : validTo + metric.attributionMs,
    variants: view.definition.variants.map(({key}) => key),
    phases: spans.map(span => span.phase),
    starts: spans.map(span => span.validFrom),
  };
}

export const metricParams = (scope: AnalysisScope, metric: Metric): SqlParams => ({
  ...scopeParams(scope, metric),
  kind: metricKind(metric),
  measure: valueMeasure(metric),
  denominator: metric.denominator,
  statuses: metric.status,
  multiplier: 10 ** metric.scale,
});

/**
 * `outer` after what it reads:
 *
 *     units (split) → scoped → valued → arms → outer
 *
 * each a whole query of its own; ClickHouse evaluates only what is used.
 */
export function analysisSql(scope: AnalysisScope, outer: string): string {
  const {design} = scope.view.definition;
  const needsValues = !/^(exposure-counts|exposure-looks|outcomes-late)/.test(outer);
  const parts = [
    ...(design === 'split' ? [cte('units', 'scope-units')] : []),
    cte('scoped', `scope-outcomes-${design}`),
    ...(needsValues ? [cte('valued', 'scope-values'), cte('arms', `arm-units-${design}`)] : []),
  ];
  return `WITH ${parts.join(', ')}\n${afterWith(loadQuery(outer))}`;
}

const cte = (name: string, query: string): string => `${name} AS (\n${loadQuery(query)}\n)`;

/** A query with a WITH of its own goes on with the list. */
const afterWith = (sql: string): string => sql.replace(/^((?:--[^\n]*\n)*)WITH /, '$1, ');
