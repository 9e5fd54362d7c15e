import type {ExperimentView, Metric} from '../core/experiment.ts';
import type {EpochMs} from '../core/units.ts';
import type {Verdict} from '../core/verdict.ts';
import type {ValueGroups} from './value-groups.ts';

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
   * Reads, deduplicates and attributes the facts of a scope once for all its metrics; the questions below then
   * answer from that. Without it each question does so for itself. `live` keeps what was made for the next look at
   * the same phase, which then costs what is new (the same answers: it is the same facts).
   */
  prepare(scope: AnalysisScope, options?: {readonly live: boolean}): Promise<void>;
  /** What prepare made is no longer needed. */
  release(scope: AnalysisScope): Promise<void>;
  /**
   * Distinct values with their counts per variant, ascending: the tie groups of Mann–Whitney,
   * quantiles and box plots. `per: outcome` takes each outcome's value, `per: unit` each unit's mean.
   * At most `listedMax` + 1, which says that there are more. Where events have several weights, outcomes come with
   * theirs; units' means take them in already.
   */
  valueGroups(scope: AnalysisScope, metric: Metric, of: {readonly per: 'outcome' | 'unit'; readonly listedMax: number}): Promise<ValueGroups>;
  /**
   * Of a metric with a distribution, where events have several weights: of each arm, how much of its weight lies at or below
   * a value of its own (`at`, by variant); or of two arms, the place of each outcome among those of the other arm, which
   * is twice the weight below it and once the weight it is tied with.
   */
  weightedSums(scope: AnalysisScope, metric: Metric, of: WeightedAsk): Promise<WeightedSums[]>;
  /** Paired by item: averages within (item, variant) first, then groups the differences. */
  pairGroups(scope: AnalysisScope, metric: Metric, of: {readonly control: string; readonly variant: string; readonly listedMax: number}): Promise<PairGroups>;
  /**
   * One arm of a split cut in halves by a hash of the unit, `relabellings` times: the totals of each half for every
   * metric, without times. Of an arm with more units than `unitsMax` a share is taken, also by hash.
   */
  relabelledArms(scope: AnalysisScope, of: {readonly variant: string; readonly relabellings: number; readonly unitsMax: number}): Promise<RelabelledArm[]>;
  /** Covered offsets per partition under the cut. */
  offsetsUnder(stream: string, cut: EpochMs): Promise<Verdict['offsets']>;
  /** Names of measures seen with the experiment's outcomes (drafts, `analyze` without metrics). */
  measuresSeen(stream: string, experiment: string): Promise<string[]>;
  /** The SQL that gives a metric's numbers, with parameters filled in, for the evidence; `isWeighted` where events have several weights. */
  explainSql(scope: AnalysisScope, metric: Metric, isWeighted?: boolean): string;
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
  /** Σ over outcomes of q²; of metrics with a distribution of values and shares, otherwise 0. */
  readonly sumSquaresQ: bigint;
  readonly denominatorQ: bigint;
  readonly unitSumSquaresQ: bigint;
  readonly unitDenominatorSquaresQ: bigint;
  readonly unitCrossQ: bigint;
  readonly eventFrom: EpochMs | null;
  readonly eventTo: EpochMs | null;
  /** Absent where every event of the scope stands for itself. */
  readonly sampling?: ArmSampling;
};

/** What the sampled events of an arm stand for; weights are in millionths (core/sampling.ts). */
export type ArmSampling = {
  /** Σ of the weights of outcomes that count, and of exposed units (each by the least weight of its exposures). */
  readonly outcomesWeight: bigint;
  readonly unitsWeight: bigint;
  /**
   * null where all events of the scope have one weight: it cancels, and the sums above are plain. Otherwise
   * sᵢ and dᵢ above are Σw·q (elsewhere than in ratios dᵢ = Σw), six digits more than q.
   */
  readonly mixed: MixedSums | null;
};

/** eᵢ: the weight of the unit's exposure. cᵢ: how many units a unit with an outcome stands for, the least weight of its outcomes. */
export type MixedSums = {
  readonly unitsWeightSquares: bigint;
  /** Σ eᵢ·sᵢ */
  readonly exposedCrossQ: bigint;
  /** Σ cᵢ, Σ cᵢ² and Σ eᵢ·cᵢ */
  readonly answered: bigint;
  readonly answeredSquares: bigint;
  readonly answeredCross: bigint;
  /** Σ q of outcomes as they were sent; of metrics with a distribution of values, otherwise 0. */
  readonly plainSumQ: bigint;
};

export type RelabelledArm = {readonly metric: string; readonly relabelling: number; readonly half: 0 | 1; readonly totals: ArmTotals};

export type WeightedAsk = {readonly at: Readonly<Record<string, number>>} | {readonly control: string; readonly variant: string};

/**
 * Sums over the units of one arm, where events have several weights: dᵢ = Σw of a unit's outcomes in millionths, and
 * sᵢ the same over those that count in a share, or Σw times the outcome's place.
 */
export type WeightedSums = {
  readonly variant: string;
  readonly units: number;
  readonly sum: bigint;
  readonly weight: bigint;
  readonly sumSquares: bigint;
  readonly weightSquares: bigint;
  readonly cross: bigint;
};

/**
 * The pairs of one treatment. Differences variant − control and both sides are whole steps of the decimal
 * grid of cases/stats: 10^−digits, digits = 15 − ceil(log10 M), M = the largest |value| of the pairs.
 */
export type PairGroups = {
  /** Items with a value in both arms. */
  readonly pairs: number;
  readonly itemsControl: number;
  readonly itemsVariant: number;
  readonly itemsEither: number;
  readonly wins: number;
  readonly ties: number;
  readonly losses: number;
  readonly digits: number;
  readonly difference: StepSums;
  readonly control: StepSums;
  readonly variant: StepSums;
  /** Distinct differences, ascending, with counts; null when there are too many to list. */
  readonly differences: readonly {readonly difference: number; readonly count: number}[] | null;
  /** In their place then: twice the rank sum of positive differences, and Σ(t³ − t) over groups of equal size. */
  readonly ranks: {readonly nonZero: number; readonly doubledPlus: bigint; readonly tieTerm: bigint} | null;
  /** Units that the pairs belong to (an item with outcomes of several is one by itself); over them: Σ(Σd)², Σ(Σd)·n and Σn². */
  readonly clusters: {readonly count: number; readonly squares: bigint; readonly cross: bigint; readonly sizes: bigint};
};

export type StepSums = {readonly total: bigint; readonly squares: bigint};
