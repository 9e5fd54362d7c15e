import type {ExperimentDefinition, Metric} from '../core/experiment.ts';
import type {SlicedOutcome} from './sliced-outcome.ts';

/** In place of a measure's index in the outcome's list. */
const [ABSENT, IS_SHARE, IS_SUCCESS, IS_OUTCOMES, NO_RATIO] = [-1, -2, -3, -4, -5];

/**
 * Where an outcome's list of measures holds what each metric of a definition counts
 * (by the rules on `Metric` in core/experiment.ts): looked up by name once per list,
 * not once per outcome.
 */
export class MetricPlan {
  readonly names: readonly string[];
  /** How many metrics every outcome with these names counts in; null when that is not the same for all. */
  readonly contributions: number | null;
  readonly #metrics: readonly Metric[];
  readonly #values: readonly number[];
  readonly #denominators: readonly number[];

  constructor({metrics}: ExperimentDefinition, names: readonly string[]) {
    this.names = names;
    this.#metrics = metrics;
    this.#values = metrics.map(metric => valueIndex(metric, names));
    this.contributions = metrics.some(({dimensions, aggregate}) => dimensions.length > 0 || aggregate === 'ratio')
      ? null
      : this.#values.filter(index => index !== ABSENT).length;
    this.#denominators = metrics.map(({aggregate, denominator}) => (aggregate === 'ratio' ? indexOf(denominator, names) : NO_RATIO));
  }

  /** What the outcome adds to the metric at `index`; NaN when it says nothing about it. Measures are finite. */
  value(index: number, outcome: SlicedOutcome): number {
    const value = this.#measure(this.#values[index] as number, index, outcome);
    const denominator = this.#denominators[index] as number;
    if (denominator === NO_RATIO || !Number.isNaN(value)) return value;
    return Number.isNaN(this.#measure(denominator, index, outcome)) ? value : 0;
  }

  /** 0 unless the metric is a ratio. */
  denominator(index: number, outcome: SlicedOutcome): number {
    const at = this.#denominators[index] as number;
    if (at === NO_RATIO) return 0;
    const value = this.#measure(at, index, outcome);
    return Number.isNaN(value) ? 0 : value;
  }

  #measure(at: number, index: number, {measureValues, valuesFrom, status}: SlicedOutcome): number {
    if (at >= 0) return measureValues[valuesFrom + at] as number;
    if (at === IS_SHARE) return this.#metrics[index]?.status.includes(status) === true ? 1 : 0;
    if (at === IS_SUCCESS) return status === 'ok' ? 1 : 0;
    return at === IS_OUTCOMES ? 1 : Number.NaN;
  }
}

/** Lists of measure names a definition was met with: as many as there are kinds of senders. */
const LISTS_MAX = 64;
const plans = new WeakMap<ExperimentDefinition, Map<readonly string[], MetricPlan>>();

/** The plan for outcomes with these names, made once for all slices. */
export function metricPlan(definition: ExperimentDefinition, names: readonly string[]): MetricPlan {
  let known = plans.get(definition);
  if (known === undefined) {
    known = new Map();
    plans.set(definition, known);
  }
  let plan = known.get(names);
  if (plan === undefined) {
    plan = new MetricPlan(definition, names);
    if (known.size >= LISTS_MAX) known.clear();
    known.set(names, plan);
  }
  return plan;
}

function valueIndex({aggregate, measure, numerator}: Metric, names: readonly string[]): number {
  if (aggregate === 'share') return IS_SHARE;
  return indexOf(aggregate === 'ratio' ? numerator : measure, names);
}

/** A measure of that name, or one of the two that every outcome has. */
function indexOf(name: string, names: readonly string[]): number {
  const index = names.indexOf(name);
  if (index >= 0) return index;
  if (name === 'success') return IS_SUCCESS;
  return name === 'outcomes' ? IS_OUTCOMES : ABSENT;
}
