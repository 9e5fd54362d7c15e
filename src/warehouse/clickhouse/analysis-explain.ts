import {unreachable} from '../../core/assert.ts';
import type {Metric} from '../../core/experiment.ts';
import {WEIGHT_DIGITS} from '../../core/sampling.ts';
import type {AnalysisScope} from '../warehouse.ts';
import {quoteString} from './sql-text.ts';
import {WEIGHT_SQL} from './weight-sql.ts';

/** SQL that an analyst can run to see where a metric's numbers come from. */
export function explainMetric({stream, view, phase, cut}: AnalysisScope, metric: Metric, isWeighted: boolean): string {
  const validTo = view.phases.find(span => span.phase === phase)?.validTo ?? null;
  const isBounded = validTo !== null && view.definition.design === 'split';
  const wanted = [
    `experiment = ${quoteString(view.experiment)}`,
    `phase = ${phase}`,
    ...(isBounded ? [`event_ts < fromUnixTimestamp64Milli(${validTo + metric.attributionMs}, 'UTC')`] : []),
    ...presence(metric),
  ];
  const numbers = isWeighted ? weightedColumns(metric) : columns(metric);
  return [
    `SELECT variant, uniqExact(unit_id) AS units_with_outcome, count() AS outcomes, ${numbers.join(', ')}`,
    `FROM v_outcomes_at(stream = ${quoteString(stream)}, cut_ms = ${cut})`,
    `WHERE ${wanted.join('\n  AND ')}`,
    'GROUP BY variant',
    'ORDER BY variant',
  ].join('\n');
}

function columns(metric: Metric): string[] {
  const value = valueSql(metric, metric.aggregate === 'ratio' ? metric.numerator : metric.measure);
  const exact = (sql: string): string => `sum(toInt256(roundBankers(${sql} * 1e${metric.scale}))) / 1e${metric.scale}`;
  switch (metric.aggregate) {
    case 'mean':
    case 'total':
    case 'conversion':
    case 'share':
      return [`${exact(value)} AS sum`, 'sum / outcomes AS mean'];
    case 'ratio':
      return [`${exact(value)} AS sum`, `${exact(valueSql(metric, metric.denominator))} AS denominator_sum`, 'sum / denominator_sum AS mean'];
    case 'p50':
    case 'p95':
    case 'p99':
      return [`quantileExactInclusive(0.${metric.aggregate.slice(1)})(${value}) AS quantile`];
    default:
      return unreachable(metric.aggregate);
  }
}

/** Each outcome as often as it stands for. */
function weightedColumns(metric: Metric): string[] {
  if (metric.aggregate === 'p50' || metric.aggregate === 'p95' || metric.aggregate === 'p99') {
    const value = valueSql(metric, metric.measure);
    return [`sum(${WEIGHT_SQL}) / 1e${WEIGHT_DIGITS} AS estimated_outcomes`, `quantileExactWeighted(0.${metric.aggregate.slice(1)})(${value}, toUInt64(${WEIGHT_SQL})) AS quantile`];
  }
  const exact = (sql: string): string => `sum(toInt256(roundBankers(${sql} * 1e${metric.scale})) * ${WEIGHT_SQL}) / 1e${metric.scale + WEIGHT_DIGITS}`;
  const estimated = `sum(${WEIGHT_SQL}) / 1e${WEIGHT_DIGITS} AS estimated_outcomes`;
  const sum = `${exact(valueSql(metric, metric.aggregate === 'ratio' ? metric.numerator : metric.measure))} AS sum`;
  if (metric.aggregate !== 'ratio') return [estimated, sum, 'sum / estimated_outcomes AS mean'];
  return [estimated, sum, `${exact(valueSql(metric, metric.denominator))} AS denominator_sum`, 'sum / denominator_sum AS mean'];
}

/** Outcomes without the measure contribute nothing; every outcome has `success` and `outcomes`. */
function presence(metric: Metric): string[] {
  if (metric.aggregate === 'share') return [];
  const measures = metric.aggregate === 'ratio' ? [metric.numerator, metric.denominator] : [metric.measure];
  if (measures.some(name => name === 'success' || name === 'outcomes')) return [];
  return [`(${measures.map(name => `mapContains(measures, ${quoteString(name)})`).join(' OR ')})`];
}

function valueSql(metric: Metric, measure: string): string {
  if (metric.aggregate === 'share') return `(status IN (${metric.status.map(quoteString).join(', ')}))`;
  const stored = `measures[${quoteString(measure)}]`;
  const own = `mapContains(measures, ${quoteString(measure)})`;
  if (measure === 'success') return `if(${own}, ${stored}, toFloat64(status = 'ok'))`;
  if (measure === 'outcomes') return `if(${own}, ${stored}, 1.)`;
  return stored;
}
