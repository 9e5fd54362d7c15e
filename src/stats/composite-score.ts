import {attempt, type Outcome, refuse} from './outcome.ts';
import {readReal, readRecord} from './read-input.ts';
import {describe, readOptions} from './read-options.ts';
import {sum} from './sum.ts';

export interface ScoredMetric {
  readonly name: string;
  readonly value: number;
  /** Values that score 0 and 1; worst may be the larger one (latency). */
  readonly worst: number;
  readonly best: number;
  /** 0 or more, in any unit. */
  readonly weight: number;
}

export interface CompositeScoreResult {
  /** Weighted mean of the components, 0 to 1. */
  readonly score: number;
  /** By name, each clamped to 0..1. */
  readonly components: Readonly<Record<string, number>>;
}

/**
 * One score from metrics of different units.
 * Errors: `non_finite`, `insufficient_data` (no metric), `invalid_argument` (worst equals best, weights negative or all 0, a name twice).
 */
export function compositeScore(
  input: {readonly metrics: readonly ScoredMetric[]},
  options?: object,
): Outcome<CompositeScoreResult> {
  return attempt(() => {
    readOptions(options, {});
    const {metrics} = readRecord(input, 'input') as {metrics?: unknown};
    if (!Array.isArray(metrics))
      return refuse('invalid_argument', `metrics is ${describe(metrics)}: it must be an array of metrics`);
    if (metrics.length === 0) refuse('insufficient_data', 'metrics is empty: at least one is needed');
    const read = metrics.map((metric, i) => readMetric(metric, `metrics[${i}]`));
    const components = Object.fromEntries(read.map(metric => [metric.name, componentOf(metric)]));
    if (Object.keys(components).length < read.length)
      refuse('invalid_argument', 'metrics has a name twice: give each metric its own name');
    const weight = sum(read.map(metric => metric.weight));
    if (weight === 0) refuse('invalid_argument', 'the weights are all 0: at least one must be above 0');
    const score = sum(read.map(metric => metric.weight * componentOf(metric))) / weight;
    return {score, components};
  });
}

function readMetric(given: unknown, field: string): ScoredMetric {
  const record = readRecord(given, field);
  const {name} = record;
  if (typeof name !== 'string')
    return refuse('invalid_argument', `${field}.name is ${describe(name)}: it must be a string`);
  const real = (key: string): number => readReal(record[key], `${field}.${key}`);
  const metric = {
    name,
    value: real('value'),
    worst: real('worst'),
    best: real('best'),
    weight: real('weight'),
  };
  if (metric.worst === metric.best)
    refuse('invalid_argument', `${field}.worst equals best (${metric.best}): they must differ`);
  if (metric.weight < 0)
    refuse('invalid_argument', `${field}.weight is ${metric.weight}: it must be 0 or more`);
  return metric;
}

function componentOf({value, worst, best}: ScoredMetric): number {
  return Math.min(1, Math.max(0, (value - worst) / (best - worst)));
}
