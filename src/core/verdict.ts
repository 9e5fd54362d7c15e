import type {Aggregate, Design, Direction, MetricRole} from './experiment.ts';

export type Decision = 'ship' | 'roll_back' | 'keep_running' | 'inconclusive' | 'unhealthy' | 'no_data';

export type TestName = 'paired-t' | 'wilcoxon-signed-rank' | 'welch-t' | 'mann-whitney-u' | 'two-proportion' | 'quantile-difference';

/** One applied test as stored in `tests[]`. A test that could not be computed says why and has no numbers. */
export type TestEvidence = {
  readonly test: TestName;
  readonly status: 'ok' | 'not-computable';
  readonly reason?: string;
  readonly exploratory?: boolean;
  readonly statistic?: number;
  readonly df?: number;
  readonly p_value?: number;
  readonly estimate?: number;
  readonly ci_low?: number | null;
  readonly ci_high?: number | null;
  readonly n_control?: number;
  readonly n_variant?: number;
  /** Method details: zeros dropped, ties, exact or asymptotic, effect sizes, … */
  readonly details?: Readonly<Record<string, unknown>>;
};

/** What one arm looks like in the metric. Numbers are null where there is not enough data. */
export type ArmEvidence = {
  readonly variant: string;
  /** Exposed units (split) or items (paired) in the arm. */
  readonly units: number;
  /** Outcomes that count for the metric. */
  readonly outcomes: number;
  /** What they stand for, Σ 1 / sample_rate; absent where no event of the phase was sampled. */
  readonly estimated_units?: number;
  readonly estimated_outcomes?: number;
  readonly mean: number | null;
  readonly sd: number | null;
  readonly min: number | null;
  readonly p25: number | null;
  readonly p50: number | null;
  readonly p75: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  readonly whisker_low: number | null;
  readonly whisker_high: number | null;
};

export type HealthEvidence = {
  readonly srm: {
    readonly status: 'healthy' | 'unhealthy' | 'not-computable';
    readonly p_value: number | null;
    readonly observed: Readonly<Record<string, number>>;
    readonly weights: Readonly<Record<string, number>> | null;
    readonly reason?: string;
    /** Looked at after each stretch of exposures; `broke_at` is when the split first left its weights (ISO 8601), null while it has not. */
    readonly always_valid?: {readonly p_value: number; readonly looks: number; readonly broke_at: string | null};
  };
  readonly crossovers: {readonly units: number; readonly share: number; readonly status: 'healthy' | 'unhealthy'};
  /** Exposed units without any outcome, per variant; unhealthy when the arms differ beyond chance. */
  readonly missing_outcomes: {
    readonly status: 'healthy' | 'unhealthy' | 'not-computable';
    readonly by_variant: Readonly<Record<string, number>>;
    readonly p_value: number | null;
    /** Units exposed in the last `grace_ms` may still have their outcome coming and are not judged. */
    readonly grace_ms?: number;
    readonly judged?: Readonly<Record<string, {readonly units: number; readonly without_outcome: number}>>;
  };
  readonly ledger: {readonly status: 'healthy' | 'unhealthy' | 'not-checked'; readonly mismatch: number};
};

/** One metric of one treatment before and after one change of the experiment. */
export type WindowsAround = {
  /** ISO 8601: when the version took effect. */
  readonly at: string;
  readonly version: number;
  readonly phase: number;
  readonly author: string;
  readonly reason: string;
  readonly window_ms: number;
  /** Closed windows of control and variant, oldest first. `value` is the metric's own: mean, share, ratio or quantile. */
  readonly windows: readonly {readonly start: string; readonly side: 'before' | 'after'; readonly variant: string; readonly n: number; readonly value: number}[];
};

/** How often the metric's test finds a difference between halves of control, where there is none. */
export type Calibration = {
  readonly status: 'healthy' | 'unhealthy' | 'not-computable';
  readonly reason?: string;
  readonly alpha: number;
  readonly relabellings: number;
  /** Relabellings that gave a p-value, and those below alpha. */
  readonly computed: number;
  readonly rejected: number;
  /** Empirical false-positive rate with its 95 % interval. */
  readonly rate: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** Of the facts it was made from. */
  readonly cut_ms: number;
};

/**
 * A verdict row: complete evidence for one metric × treatment (DESIGN §6). Names are
 * the columns of the `verdicts` table. Page, report and webhook render this row
 * and never recompute. Fields marked * are outside the digest.
 */
export type Verdict = {
  /** * */ readonly verdict_id: string;
  /** * ISO 8601, UTC, milliseconds */ readonly created_at: string;
  readonly stream: string;
  readonly experiment: string;
  readonly config_version: number;
  readonly phase: number;
  readonly design: Design;
  readonly metric: string;
  readonly role: MetricRole;
  readonly aggregate: Aggregate;
  readonly direction: Direction;
  readonly control: string;
  readonly variant: string;
  /** The primary test; null when none could be computed. */
  readonly test: TestName | null;
  /** n, mean and spread as the primary test sees them (units, or pairs). */
  readonly n_control: number;
  readonly n_variant: number;
  readonly mean_control: number | null;
  readonly mean_variant: number | null;
  readonly sd_control: number | null;
  readonly sd_variant: number | null;
  readonly effect_absolute: number | null;
  readonly effect_relative: number | null;
  readonly ci_low: number | null;
  readonly ci_high: number | null;
  /** Fixed-horizon p of the primary test: not valid under looking all the time. */
  readonly p_value: number | null;
  readonly p_value_adjusted: number | null;
  readonly p_value_always_valid: number | null;
  readonly cs_low: number | null;
  readonly cs_high: number | null;
  readonly pairs: number | null;
  readonly pair_coverage: number | null;
  readonly srm_p_value: number | null;
  readonly decision: Decision;
  /** * */ readonly previous_decision: Decision | null;
  readonly reasons: readonly string[];
  readonly arms: readonly ArmEvidence[];
  readonly tests: readonly TestEvidence[];
  readonly health: HealthEvidence;
  /** ISO 8601 of the first and last outcome counted; null without data. */
  readonly data_from: string | null;
  readonly data_to: string | null;
  readonly cut: {
    readonly arrival_ts: number;
    readonly config_versions: Readonly<Record<string, number>>;
  };
  /** Committed offset per partition that the cut covers. */
  readonly offsets: readonly {readonly log_epoch: number; readonly partition: number; readonly from: string; readonly to: string}[];
  readonly outcomes_late: number;
  readonly outcomes_unattributed: number;
  /** * */ readonly audit: {readonly mismatch: number | null; readonly slices_checked: number; readonly checked_at: string | null};
  /** * Around the last changes, oldest first, as closed windows stood then. The audit proves them; rows written before they were kept have none. */
  readonly windows_around?: readonly WindowsAround[];
  /** * Of the metric on control alone; absent where it was not asked for. */ readonly calibration?: Calibration;
  /** The SQL behind the numbers, with parameters filled in. */
  readonly sql: string;
  readonly analysis: Readonly<Record<string, unknown>>;
  readonly versions: {readonly assay: string; readonly node: string; readonly engine: string};
  /** sha256 over the canonical JSON of everything not marked *. */
  readonly evidence_digest: string;
};
