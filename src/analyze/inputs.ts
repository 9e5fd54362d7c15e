import type {ExperimentView, Metric} from '../core/experiment.ts';
import type {Verdict} from '../core/verdict.ts';
import type {ValueGroups} from '../warehouse/value-groups.ts';
import type {AnalysisScope, ArmTotals, ExposureCounts, PairGroups, RelabelledArm, WeightedSums} from '../warehouse/warehouse.ts';

/** Everything the rows of one experiment are made from: plain values, so that equal inputs give equal bytes. */
export type AnalysisInputs = {
  readonly scope: AnalysisScope;
  readonly exposures: ExposureCounts;
  readonly offsets: Verdict['offsets'];
  readonly metrics: readonly MetricInputs[];
  /** Halves of the control arm; null when no calibration is made at this look. */
  readonly relabelled?: readonly RelabelledArm[] | null;
};

export type MetricInputs = {
  readonly metric: Metric;
  readonly totals: readonly ArmTotals[];
  /** Distinct values of outcomes and of units' means; only for metrics that have a distribution. */
  readonly outcomeGroups: Distribution;
  readonly unitGroups: Distribution;
  /** By treatment; empty unless the design is paired. */
  readonly pairs: Readonly<Record<string, PairGroups>>;
  /** Where events have several weights, of metrics with a distribution. */
  readonly weighted?: WeightedInputs;
  readonly sql: string;
};

export type WeightedInputs = {
  /** Of a quantile: sums over the units of each arm at the arm's own quantile. */
  readonly shares: readonly WeightedSums[];
  /** By treatment, of it and control: the places of each one's outcomes among the other's. */
  readonly places: Readonly<Record<string, readonly WeightedSums[]>>;
};

export type Distribution =
  | {readonly status: 'ok'; readonly groups: ValueGroups}
  | {readonly status: 'not-computable'; readonly reason: string};

export const NOT_A_DISTRIBUTION: Distribution = {status: 'not-computable', reason: 'the aggregate has no distribution of values'};

/** 0.5, 0.95, 0.99, or null for the other aggregates. */
export function quantileOf({aggregate}: Metric): number | null {
  if (aggregate === 'p50') return 0.5;
  if (aggregate === 'p95') return 0.95;
  return aggregate === 'p99' ? 0.99 : null;
}

/** A mean of pairs speaks for these only: the mean of differences of a p95 is not a difference of p95s. */
export function isPairable({aggregate}: Metric): boolean {
  return aggregate === 'mean' || aggregate === 'share';
}

/** The variants compared with control, in written order. */
export function treatmentsOf(view: ExperimentView): string[] {
  const {variants, control} = view.definition;
  return variants.map(variant => variant.key).filter(key => key !== control);
}

/** The totals of an arm; zeros when the warehouse has no row for it. */
export function totalsOf(inputs: MetricInputs, variant: string): ArmTotals {
  return inputs.totals.find(arm => arm.variant === variant) ?? {...EMPTY_ARM, variant};
}

const EMPTY_ARM: Omit<ArmTotals, 'variant'> = {
  units: 0,
  unitsWithOutcome: 0,
  outcomes: 0,
  sumQ: 0n,
  sumSquaresQ: 0n,
  denominatorQ: 0n,
  unitSumSquaresQ: 0n,
  unitDenominatorSquaresQ: 0n,
  unitCrossQ: 0n,
  eventFrom: null,
  eventTo: null,
};

/** Whether the arms' sums are weighted: events of their scope have several weights. */
export function isWeighted(arms: readonly ArmTotals[]): boolean {
  return arms.some(({sampling}) => sampling !== undefined && sampling.mixed !== null);
}
