import type {Metric} from '../core/experiment.ts';
import type {SlicedOutcome} from './event-codec.ts';

/** What one outcome adds to a metric. `denominator` is 0 unless the metric is a ratio. */
export type Contribution = {readonly value: number; readonly denominator: number};

/** By the rules on `Metric` in core/experiment.ts; undefined when the outcome says nothing about it. */
export function contributionOf(metric: Metric, outcome: SlicedOutcome): Contribution | undefined {
  if (metric.aggregate === 'share') {
    return {value: metric.status.includes(outcome.status) ? 1 : 0, denominator: 0};
  }
  if (metric.aggregate === 'ratio') {
    const numerator = measureOf(outcome, metric.numerator);
    const denominator = measureOf(outcome, metric.denominator);
    if (numerator === undefined && denominator === undefined) return undefined;
    return {value: numerator ?? 0, denominator: denominator ?? 0};
  }
  const value = measureOf(outcome, metric.measure);
  return value === undefined ? undefined : {value, denominator: 0};
}

/** A measure of that name, or one of the two that every outcome has. */
function measureOf(outcome: SlicedOutcome, name: string): number | undefined {
  if (Object.hasOwn(outcome.measures, name)) return outcome.measures[name];
  if (name === 'success') return outcome.status === 'ok' ? 1 : 0;
  return name === 'outcomes' ? 1 : undefined;
}
