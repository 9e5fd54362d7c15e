import type {Aggregate, Design, Direction, MetricRole} from '../core/experiment.ts';
import type {ArmEvidence, Calibration, Decision, Verdict, WindowsAround} from '../core/verdict.ts';

/** Raised when a field changes its meaning or goes away; new fields do not raise it. */
export const REPORT_SCHEMA_VERSION = 1;

/** `alert` as soon as there is one finding of high severity; `no_data` when nothing fails because nothing was measured. */
export type ReportStatus = 'healthy' | 'alert' | 'no_data';

/** `open`: the interval still allows both answers. */
export type CheckStatus = 'pass' | 'fail' | 'open' | 'not-computable';

/** One yes-or-no question the report asks of the stored rows. */
export type Check = {
  readonly code: CheckCode;
  readonly status: CheckStatus;
  /** The variant or metric it is about; '' for the whole experiment. */
  readonly subject: string;
  /** One sentence for a reader, without markup. */
  readonly text: string;
};

export type CheckCode = 'srm' | 'crossovers' | 'missing_outcomes' | 'ledger' | 'audit' | 'goal' | 'guardrail';

export type Severity = 'high' | 'medium' | 'info';

export type Finding = {
  readonly severity: Severity;
  readonly code: string;
  readonly experiment: string;
  readonly subject: string;
  readonly text: string;
};

/**
 * What the stored always-valid interval says: `better` wholly on the good side of
 * zero, `worse` wholly past the tolerance on the harmful side, `no-reading` when the
 * row has an effect but no such interval.
 */
export type Reading = 'better' | 'worse' | 'unclear' | 'no-reading' | 'not-computable';

/** How a metric's numbers are written. */
export type Unit = {
  /** '' when it is not known; `%` values are stored as shares and shown times 100. */
  readonly symbol: string;
  readonly isShare: boolean;
};

/** Items that both variants answered, by who did better; `dropped` have a value in one arm only. */
export type PairView = {readonly better: number; readonly equal: number; readonly worse: number; readonly dropped: number};

/** One metric of one treatment. `verdict` is the stored row, unchanged. */
export type MetricRow = {
  readonly variant: string;
  readonly reading: Reading;
  /** Why there is no number; '' when there is one. */
  readonly missing_reason: string;
  /** null when the row has no paired test. */
  readonly pairs: PairView | null;
  readonly replay: string;
  readonly verdict: Verdict;
};

export type MetricReport = {
  readonly metric: string;
  readonly role: MetricRole;
  readonly aggregate: Aggregate;
  readonly direction: Direction;
  readonly unit: Unit;
  /** How far the metric may move to the harmful side; null when the row does not say. */
  readonly tolerance: number | null;
  /** Control first, then treatments in the order of the rows. */
  readonly arms: readonly ArmEvidence[];
  readonly rows: readonly MetricRow[];
  /** How often the metric's test is wrong on halves of control; null when the rows have none (paired, older rows). */
  readonly calibration: Calibration | null;
  /** Before and after each of the last changes, newest first; the windows of all arms. */
  readonly around: readonly WindowsAround[];
};

export type TreatmentReport = {
  readonly variant: string;
  readonly decision: Decision;
  readonly previous_decision: Decision | null;
  readonly is_changed: boolean;
  readonly reasons: readonly {readonly code: string; readonly text: string}[];
  /** Reasons and the number that carries the decision, on one line. */
  readonly why: string;
  /** Decision and why, on one line. */
  readonly headline: string;
};

export type ExperimentReport = {
  readonly stream: string;
  readonly experiment: string;
  readonly phase: number;
  readonly config_version: number;
  readonly design: Design;
  readonly control: string;
  /** The most urgent of the treatments' decisions. */
  readonly decision: Decision;
  readonly headline: string;
  readonly treatments: readonly TreatmentReport[];
  readonly health: readonly Check[];
  readonly metrics: readonly MetricReport[];
  readonly data_from: string | null;
  /** Data-through time: the last outcome counted. */
  readonly data_to: string | null;
  readonly cut_arrival_ts: string;
  readonly offsets: Verdict['offsets'];
  readonly audit: Verdict['audit'];
  readonly outcomes_late: number;
  readonly outcomes_unattributed: number;
  readonly pair_coverage: number | null;
  readonly analysis: Verdict['analysis'];
  readonly versions: Verdict['versions'];
  /** Rows left out because a newer analysis of the same treatment exists. */
  readonly rows_superseded: number;
  /** Where a person can look further; null without a public address. */
  readonly link: string | null;
};

export type ReportSummary = {
  readonly status: ReportStatus;
  readonly experiments: number;
  readonly checks_passed: number;
  readonly checks_failed: number;
  readonly checks_open: number;
  readonly checks_not_computable: number;
  /** passed / (passed + failed); null when nothing could be checked. */
  readonly pass_rate: number | null;
  /** The lowest of all paired metrics; null when nothing is paired. */
  readonly pair_coverage: number | null;
  /** Distinct causes: a failing check and the decision that follows from it are one. */
  readonly findings_high: number;
  readonly audit: {readonly mismatch: number | null; readonly slices_checked: number; readonly is_failure: boolean};
};

/** What is said of one or more experiments at one time. Every number is copied from a verdict row. */
export type Report = {
  readonly schema_version: typeof REPORT_SCHEMA_VERSION;
  readonly kind: ReportKind;
  /** ISO 8601 */
  readonly generated_at: string;
  /** Decision and why, on one line. */
  readonly headline: string;
  /** Where all experiments are shown; null without a public address. */
  readonly link: string | null;
  readonly summary: ReportSummary;
  readonly findings: readonly Finding[];
  /** Most urgent first. */
  readonly experiments: readonly ExperimentReport[];
};

export type ReportKind = 'decision_changed' | 'digest' | 'on_demand';
