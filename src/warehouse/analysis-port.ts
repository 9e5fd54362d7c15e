import type {ExperimentView, Metric} from '../core/experiment.ts';
import type {EpochMs} from '../core/units.ts';
import type {Verdict} from '../core/verdict.ts';

/** Which facts a verdict reads: one experiment × phase under one cut. */
export type AnalysisScope = {
  readonly stream: string;
  readonly view: ExperimentView;
  readonly phase: number;
  /** Facts with arrival_ts ≤ cut count. */
  readonly cut: EpochMs;
};

export interface AnalysisStore {
  /** The newest phase with an `assigned` exposure (split) or a hinted outcome (paired) under the cut; null without data. */
  newestPhase(scope: Omit<AnalysisScope, 'phase'>): Promise<number | null>;
  /** Units per variant, crossovers, overrides and missing outcomes. */
  exposureCounts(scope: AnalysisScope): Promise<ExposureCounts>;
  /** Per variant: exact sums over units (split) for one metric, and the data range. */
  armTotals(scope: AnalysisScope, metric: Metric): Promise<ArmTotals[]>;
  /**
   * Distinct values with their counts per variant, ascending: the tie groups of Mann–Whitney,
   * quantiles and box plots. `per: outcome` takes each outcome's value, `per: unit` each unit's mean.
   */
  valueGroups(scope: AnalysisScope, metric: Metric, per: 'outcome' | 'unit'): Promise<ValueGroup[]>;
  /** Paired by item: averages within (item, variant) first, then groups the differences. */
  pairGroups(scope: AnalysisScope, metric: Metric, arms: {readonly control: string; readonly variant: string}): Promise<PairGroups>;
  /** Covered offsets per partition under the cut. */
  offsetsUnder(stream: string, cut: EpochMs): Promise<Verdict['offsets']>;
  /** Names of measures seen with the experiment's outcomes (drafts, `analyze` without metrics). */
  measuresSeen(stream: string, experiment: string): Promise<string[]>;
  /** The SQL that gives a metric's numbers, with parameters filled in, for the evidence. */
  explainSql(scope: AnalysisScope, metric: Metric): string;
}

export type ExposureCounts = {
  /** Units (split: first assigned exposure; paired: distinct items) per variant, without crossovers. */
  readonly units: Readonly<Record<string, number>>;
  readonly crossoverUnits: number;
  readonly overrideUnits: number;
  /** Units per variant that have no outcome at all. */
  readonly withoutOutcome: Readonly<Record<string, number>>;
  /**
   * Units whose outcome is due: first exposed at least `graceMs` before the cut, which is the element at
   * floor(0.99·n) of the delays from a unit's first exposure to its first outcome. Split only.
   */
  readonly due?: {readonly graceMs: number; readonly byVariant: Readonly<Record<string, {readonly units: number; readonly withoutOutcome: number}>>};
  /** Units by variant first exposed in each of at most 201 stretches of equal length, in order; split only. */
  readonly firstSeen?: readonly {readonly until: EpochMs; readonly units: Readonly<Record<string, number>>}[];
  /** Outcomes of the scope that arrived late, and outcomes of the stream that are unattributed. */
  readonly outcomesLate: number;
  readonly outcomesUnattributed: number;
};

/**
 * Sums over the units of one arm. For unit i: nᵢ outcomes that count, sᵢ = Σq of the (numerator)
 * measure, dᵢ = Σq of the denominator (ratio; otherwise nᵢ). q are integers at `metric.scale`.
 */
export type ArmTotals = {
  readonly variant: string;
  /** Exposed units, and those among them with nᵢ > 0. */
  readonly units: number;
  readonly unitsWithOutcome: number;
  readonly outcomes: number;
  readonly sumQ: bigint;
  /** Σ over outcomes of q². */
  readonly sumSquaresQ: bigint;
  readonly denominatorQ: bigint;
  readonly unitSumSquaresQ: bigint;
  readonly unitDenominatorSquaresQ: bigint;
  readonly unitCrossQ: bigint;
  readonly min: number | null;
  readonly max: number | null;
  readonly eventFrom: EpochMs | null;
  readonly eventTo: EpochMs | null;
};

/** `counts` by variant key. */
export type ValueGroup = {readonly value: number; readonly counts: Readonly<Record<string, number>>};

export type PairGroups = {
  /** Items with a value in both arms. */
  readonly pairs: number;
  readonly itemsControl: number;
  readonly itemsVariant: number;
  readonly itemsEither: number;
  /** Sum of the pairs' control and variant values (item averages). */
  readonly sumControl: number;
  readonly sumVariant: number;
  readonly sumSquaresControl: number;
  readonly sumSquaresVariant: number;
  /**
   * Differences variant − control on the decimal grid (cases/stats: 10^(ceil(log10 M) − 15),
   * M = the largest |value| of the pairs), ascending, with counts.
   */
  readonly differences: readonly {readonly difference: number; readonly count: number}[];
  readonly eventFrom: EpochMs | null;
  readonly eventTo: EpochMs | null;
};
