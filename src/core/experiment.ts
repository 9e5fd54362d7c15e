import type {OutcomeStatus} from './events.ts';
import type {EpochMs} from './units.ts';

export type Design = 'split' | 'paired';
export type Lifecycle = 'draft' | 'running' | 'paused' | 'concluded' | 'archived';
export type Aggregate = 'mean' | 'total' | 'conversion' | 'share' | 'ratio' | 'p50' | 'p95' | 'p99';
/** goal decides, guardrail must not get worse, diagnostic explains. */
export type MetricRole = 'goal' | 'guardrail' | 'diagnostic';
export type Direction = 'higher' | 'lower';

/**
 * A measure with an aggregate, a role and a direction; every default filled in.
 *
 * What one outcome contributes to it (the same in SQL and TypeScript):
 * - `mean total conversion p50 p95 p99`: measures[measure], nothing when absent;
 * - `share`: 1 when the status is in `status`, otherwise 0; every outcome counts;
 * - `ratio`: measures[numerator] over measures[denominator], an absent one is 0;
 *   nothing when both are absent.
 * `success` (1 when status = ok, else 0) and `outcomes` (1) are measures every
 * outcome has, unless it carries one of that name itself.
 */
export type Metric = {
  readonly key: string;
  readonly aggregate: Aggregate;
  /** '' for share and ratio. */
  readonly measure: string;
  /** Empty unless aggregate = share. */
  readonly status: readonly OutcomeStatus[];
  /** '' unless aggregate = ratio. */
  readonly numerator: string;
  readonly denominator: string;
  readonly role: MetricRole;
  readonly direction: Direction;
  /** Absolute effect (in the metric's unit) below which a difference does not matter; 0 by default. */
  readonly minEffect: number;
  /** How far a guardrail (or goal) may move to the harmful side before it counts as harm; 0 by default. */
  readonly tolerance: number;
  /** Decimal digits kept in exact sums, 0…12. */
  readonly scale: number;
  /** How long outcomes of a phase count after the next phase began; default 7 d. */
  readonly attributionMs: number;
  /** Attribute names by which slices are also kept; [] by default. */
  readonly dimensions: readonly string[];
  /** Quantiles of the units' means, pooled over the two arms, that the verdict clamps them to; only of a mean in a split. */
  readonly winsorise?: readonly [lower: number, upper: number];
};

/**
 * What a guard looks at: a metric's window against bounds, against control's window, the
 * health score of the variant, or the distance of a measure's distribution from its reference.
 */
export type GuardKind = 'window' | 'compare' | 'health' | 'drift';

export type Guard = {
  /** Left out: window. */
  readonly kind?: GuardKind;
  /** Of `drift` a measure; '' of `health`. */
  readonly metric: string;
  readonly windowMs: number;
  readonly above: number | null;
  readonly below: number | null;
  readonly minN: number;
  readonly action: 'alert' | 'pause' | 'roll_back';
  /** `compare`: how far the variant may be on the harmful side of control. */
  readonly tolerate?: Tolerance;
  /** `drift`: how much time before the window is the reference; null for control in the same window. */
  readonly referenceMs?: number | null;
  /** `window`: the threshold is at least mean + sigmas·sd of the variant's own earlier windows. `compare`, `health`: standard errors that noise may explain. */
  readonly sigmas?: number;
  /** After a roll-back: how long until the variant is tried again, doubled after each failed try. */
  readonly recoveryMs?: number;
};

/** A share of control's value, or an amount in the metric's own unit. */
export type Tolerance = {readonly relative: number} | {readonly absolute: number};

/** A metric of the health score: at `worst` it counts 0, at `best` 1, in between in proportion. */
export type HealthMetric = {readonly metric: string; readonly best: number; readonly worst: number; readonly weight: number};

/** A weight held for a time, then the next, while every gate holds. */
export type CanaryPlan = {
  readonly variant: string;
  /** Percent of units, rising. */
  readonly steps: readonly number[];
  readonly holdMs: number;
  readonly gates: readonly {readonly metric: string; readonly above: number | null; readonly below: number | null; readonly minN: number}[];
};

export type AnalysisSettings = {
  readonly alpha: number;
  readonly correction: 'holm' | 'bh' | 'none';
  readonly lookEveryMs: number;
  readonly minN: number;
  readonly minRunMs: number;
  readonly maxN: number | null;
  readonly maxRunMs: number | null;
  readonly pairCoverageMin: number;
  readonly srmAlpha: number;
  readonly crossoverMax: number;
  /** Asymptotic confidence sequence: the sample size at which it is tightest. */
  readonly tuningN: number;
};

/** What an author writes (YAML or JSON), after validation, with defaults filled in. */
export type ExperimentDefinition = {
  readonly experiment: string;
  readonly hypothesis: string;
  readonly owner: string;
  readonly design: Design;
  readonly unit: string;
  /** variant → weight, in written order (order matters for the slot table). */
  readonly variants: readonly {readonly key: string; readonly weight: number}[];
  /** False for an import without weights: SRM is then not computable. */
  readonly hasWeights: boolean;
  readonly control: string;
  readonly fallback: string;
  /** Share of units in the experiment, (0, 1]. */
  readonly allocation: number;
  readonly layer: string | null;
  readonly salt: string;
  readonly targeting: Readonly<Record<string, readonly string[]>>;
  readonly overrides: readonly {readonly kind: 'header' | 'query' | 'session'; readonly name: string}[];
  readonly sampleRate: number;
  readonly metrics: readonly Metric[];
  readonly analysis: AnalysisSettings;
  readonly guards: readonly Guard[];
  /** What the health score is made of. */
  readonly health?: readonly HealthMetric[];
  /** Canary plan as written; null when there is none. */
  readonly canary: unknown;
  readonly lifecycle: Lifecycle;
};

/** One accepted version of an experiment in one stream (DESIGN C8). */
export type ExperimentVersion = {
  readonly stream: string;
  readonly experiment: string;
  readonly version: number;
  /** The version this one was made from; 0 for the first. */
  readonly predecessor: number;
  readonly phase: number;
  readonly definition: ExperimentDefinition;
  /** Owner of each of 10 000 slots: index into definition.variants, or -1. Empty for imports. */
  readonly slots: Int8Array;
  readonly author: string;
  readonly reason: string;
  /** From when it holds in its stream; 0 (= −∞) for an import's draft. */
  readonly validFrom: EpochMs;
};

/** A stretch of unchanged split. */
export type PhaseSpan = {
  readonly phase: number;
  readonly validFrom: EpochMs;
  /** validFrom of the next phase; null for the newest. */
  readonly validTo: EpochMs | null;
  readonly weights: Readonly<Record<string, number>>;
};

/** What closing and analysis need to know of an experiment: one version's definition and all its phases. */
export type ExperimentView = {
  readonly stream: string;
  readonly experiment: string;
  readonly version: number;
  readonly definition: ExperimentDefinition;
  readonly phases: readonly PhaseSpan[];
};

/** Means and quantiles are about the values themselves; the other aggregates are about units or sums. */
export const hasDistribution = ({aggregate}: Pick<Metric, 'aggregate'>): boolean =>
  aggregate === 'mean' || aggregate === 'p50' || aggregate === 'p95' || aggregate === 'p99';
