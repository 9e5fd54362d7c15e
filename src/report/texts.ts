import type {Decision, TestName} from '../core/verdict.ts';
import type {MetricRole} from '../core/experiment.ts';
import type {CheckCode, CheckStatus, Reading, ReportStatus, Severity} from './report.ts';

/** Every word a report can contain. A second language is a second value of this type. */
export type Texts = {
  readonly language: string;
  readonly decision: Readonly<Record<Decision, string>>;
  /** What to do about it, in one imperative: `Ship v2`. */
  readonly act: Readonly<Record<Decision, (variant: string) => string>>;
  readonly why: Readonly<Record<Decision, string>>;
  readonly reason: Readonly<Record<string, (detail: string) => string>>;
  readonly reading: Readonly<Record<Reading, string>>;
  readonly test: Readonly<Record<TestName, string>>;
  readonly check: Readonly<Record<CheckCode, string>>;
  readonly checkStatus: Readonly<Record<CheckStatus, string>>;
  readonly status: Readonly<Record<ReportStatus, string>>;
  readonly severity: Readonly<Record<Severity, string>>;
  readonly role: Readonly<Record<MetricRole, string>>;
  /** Why a test has no numbers, by its code; an unknown code is shown with spaces. */
  readonly missing: Readonly<Record<string, string>>;
  /** Between the ends of an interval. */
  readonly to: string;
  readonly pairs: (counts: {readonly better: string; readonly equal: string; readonly worse: string}) => string;
  readonly pairsDropped: (count: string) => string;
  /** Beside counts of sampled outcomes: how many there were, control and variant. */
  readonly sampledOf: (control: string, variant: string) => string;
  readonly inExperiment: (act: string, experiment: string) => string;
  readonly because: (act: string, why: string) => string;
  readonly notComputable: (reason: string) => string;
  readonly noReason: string;
  readonly auditSentence: (audit: {readonly mismatch: number | null; readonly slicesChecked: string; readonly mismatches: string; readonly at: string}) => string;
  readonly health: {
    readonly srm: (p: string, observed: string) => string;
    readonly srmMissing: (reason: string) => string;
    readonly crossovers: (units: string, share: string) => string;
    readonly missingOutcomes: (byVariant: string) => string;
    readonly ledger: (mismatch: string) => string;
    readonly ledgerUnchecked: string;
  };
  readonly evidenceSentence: (parts: {readonly metric: string; readonly effect: string; readonly interval: string}) => string;
  readonly moreExperiments: (count: number) => string;
  readonly moreReasons: (count: number) => string;
  readonly moreTreatments: (count: number) => string;
  readonly auditWarning: string;
  readonly auditPending: string;
  /** Of the points in a plot of windows. */
  readonly windowsOf: (duration: string) => string;
  readonly beforeAfter: (before: string, after: string) => string;
  readonly calibrationSentence: (of: Readonly<Record<'rate' | 'low' | 'high' | 'rejected' | 'computed' | 'alpha' | 'at', string>>) => string;
  readonly changeSentence: (change: {readonly at: string; readonly version: number; readonly phase: number; readonly author: string; readonly reason: string}) => string;
  readonly nothing: string;
  readonly label: Readonly<Record<Label, string>>;
};

export type Label =
  | 'report' | 'summary' | 'passRate' | 'pairCoverage' | 'highFindings' | 'audit' | 'findings' | 'health' | 'metrics' | 'metric'
  | 'variant' | 'control' | 'reads' | 'effect' | 'relative' | 'interval' | 'fixedInterval' | 'pValue' | 'pAdjusted' | 'pAlwaysValid'
  | 'means' | 'n' | 'role' | 'better' | 'worse' | 'distribution' | 'tests' | 'test' | 'statistic' | 'estimate' | 'exploratory' | 'dataThrough'
  | 'dataFrom' | 'generated' | 'phase' | 'configVersion' | 'design' | 'offsets' | 'partition' | 'from' | 'to' | 'sql' | 'replay' | 'evidence'
  | 'late' | 'unattributed' | 'engine' | 'digest' | 'decision' | 'before' | 'reasons' | 'none' | 'mean' | 'tolerance' | 'difference' | 'open'
  | 'logEpoch' | 'check' | 'result' | 'explanation' | 'fixedHorizonNote' | 'boxNote' | 'intervalNote' | 'changed' | 'cut' | 'primary' | 'analysis' | 'notPaired'
  | 'pairs' | 'equal' | 'pairNote' | 'whiskers' | 'quartiles' | 'around' | 'aroundNote' | 'noChange' | 'calibration' | 'calibrationNote';

const plain = (text: string) => (): string => text;

export const ENGLISH: Texts = {
  language: 'en',
  decision: {
    ship: 'Ship',
    roll_back: 'Roll back',
    keep_running: 'Keep running',
    inconclusive: 'Inconclusive',
    unhealthy: 'Do not trust',
    no_data: 'No data',
  },
  act: {
    ship: variant => `Ship ${variant}`,
    roll_back: variant => `Roll back ${variant}`,
    keep_running: variant => `Keep running ${variant}`,
    inconclusive: variant => `Inconclusive for ${variant}`,
    unhealthy: variant => `Do not trust ${variant}`,
    no_data: variant => `No data for ${variant}`,
  },
  why: {
    ship: 'every goal is better and no guardrail is harmed',
    roll_back: 'it does harm',
    keep_running: 'not enough evidence yet',
    inconclusive: 'the run ended without a clear difference',
    unhealthy: 'a health check fails',
    no_data: 'an arm is empty',
  },
  // The codes of analyze/reasons.ts: `code`, or `code:metric`.
  reason: {
    arm_empty_control: plain('the control arm has no data'),
    arm_empty_variant: plain('the treatment arm has no data'),
    srm_failed: plain('the observed split differs from the weights'),
    crossovers_high: plain('too many units met more than one variant'),
    missing_outcomes_differ: plain('the arms lose outcomes at different rates'),
    ledger_mismatch: plain('records or slices do not agree with the log'),
    below_min_n: plain('fewer observations than the minimum'),
    too_early: plain('the minimum run time has not passed'),
    goal_undecided: metric => `goal ${metric} is undecided`,
    goal_leans_harmful: metric => `goal ${metric} is worse, within its tolerance`,
    effect_below_minimum: metric => `goal ${metric} improved by less than what matters`,
    guardrail_undecided: metric => `guardrail ${metric} still reaches past its tolerance`,
    goal_without_always_valid: metric => `goal ${metric} has no always-valid method`,
    goal_not_computable: metric => `goal ${metric} is not computable`,
    guardrail_not_computable: metric => `guardrail ${metric} is not computable`,
    no_goal: plain('there is no goal metric'),
    goal_harmed: metric => `goal ${metric} is worse`,
    guardrail_harmed: metric => `guardrail ${metric} is worse`,
    goals_improved: plain('every goal is better'),
    guardrails_hold: plain('every guardrail holds'),
    guardrail_constant: metric => `guardrail ${metric} never varied`,
    guardrail_without_always_valid: metric => `guardrail ${metric} was not considered, it has no always-valid method`,
    max_n_reached: plain('the largest sample was reached without an answer'),
    max_run_reached: plain('the longest run time was reached without an answer'),
    concluded: plain('concluded without an answer'),
    pair_coverage_low: plain('too few items were answered by both variants, so an unpaired test is used'),
    aggregate_not_paired: plain('this aggregate is not a mean of pairs'),
    primary_not_computable: plain('the primary test is not computable'),
    rates_mixed: plain('units were sampled at several rates: means, shares, ratios and their tests weigh events by 1 / rate, quantiles and ranks do not'),
    srm_not_computable: plain('there are no weights to check the split against'),
  },
  reading: {better: 'better', worse: 'worse', unclear: 'no clear difference', 'no-reading': 'no always-valid reading', 'not-computable': 'not computable'},
  test: {
    'paired-t': 'paired t',
    'wilcoxon-signed-rank': 'Wilcoxon signed rank',
    'welch-t': "Welch's t",
    'mann-whitney-u': 'Mann–Whitney U',
    'two-proportion': 'two proportions',
    'quantile-difference': 'quantile difference',
  },
  check: {
    srm: 'Traffic split',
    crossovers: 'Crossovers',
    missing_outcomes: 'Missing outcomes',
    ledger: 'Ledger',
    audit: 'Audit of slices',
    goal: 'Goal',
    guardrail: 'Guardrail',
  },
  checkStatus: {pass: 'pass', fail: 'FAIL', open: 'open', 'not-computable': 'not computable'},
  status: {healthy: 'Healthy', alert: 'Alert', no_data: 'No data'},
  severity: {high: 'high', medium: 'medium', info: 'info'},
  role: {goal: 'goal', guardrail: 'guardrail', diagnostic: 'diagnostic'},
  missing: {},
  to: 'to',
  pairs: ({better, equal, worse}) => `${better} better, ${equal} equal, ${worse} worse`,
  pairsDropped: count => `${count} items without a partner`,
  sampledOf: (control, variant) => `sampled: about ${control} / ${variant} outcomes`,
  inExperiment: (act, experiment) => `${act} in ${experiment}`,
  because: (act, why) => `${act}: ${why}`,
  notComputable: reason => `not computable: ${reason}`,
  noReason: 'the row gives no reason',
  auditSentence: ({mismatch, slicesChecked, mismatches, at}) =>
    mismatch === null || slicesChecked === '0'
      ? 'no slice was checked against its facts'
      : `${mismatches} mismatches in ${slicesChecked} slices checked${at === '' ? '' : `, ${at}`}`,
  health: {
    srm: (p, observed) => `${p}; units ${observed}`,
    srmMissing: reason => `not computable: ${reason}`,
    crossovers: (units, share) => `${units} units (${share}) met more than one variant and are left out`,
    missingOutcomes: byVariant => `units without an outcome: ${byVariant}`,
    ledger: mismatch => `${mismatch} records unaccounted for`,
    ledgerUnchecked: 'not checked',
  },
  evidenceSentence: ({metric, effect, interval}) => `${metric} ${effect}${interval === '' ? '' : `, always-valid interval ${interval}`}`,
  moreExperiments: count => `${count} more ${count === 1 ? 'experiment' : 'experiments'} below`,
  moreReasons: count => `and ${count} more`,
  moreTreatments: count => `${count} more ${count === 1 ? 'treatment' : 'treatments'} below`,
  windowsOf: duration => `windows of ${duration}, UTC`,
  beforeAfter: (before, after) => `before the change ${before}; after it ${after}`,
  calibrationSentence: ({rate, low, high, rejected, computed, alpha, at}) =>
    `${rate} false positives at alpha ${alpha} (95 % interval ${low} to ${high}; ${rejected} of ${computed} relabellings; facts through ${at})`,
  changeSentence: ({at, version, phase, author, reason}) => `${at} · version ${version}, phase ${phase} · ${author}: ${reason}`,
  auditWarning: 'numbers unproven, the audit of slices fails',
  auditPending: 'numbers unproven so far, no slice was audited yet',
  nothing: 'No verdict yet: no experiment has been analysed',
  label: {
    report: 'Assay report', summary: 'Summary', passRate: 'Checks passed', pairCoverage: 'Pair coverage', highFindings: 'High-severity findings',
    audit: 'Audit', findings: 'Findings', health: 'Health', metrics: 'Metrics', metric: 'Metric', variant: 'Variant', control: 'Control',
    reads: 'Reads as', effect: 'Effect', relative: 'Relative', interval: 'Always-valid interval', fixedInterval: 'Fixed-horizon interval',
    pValue: 'Fixed-horizon p', pAdjusted: 'Adjusted p', pAlwaysValid: 'Always-valid p', means: 'Control → variant', n: 'n control / variant', role: 'Role',
    better: 'better', worse: 'worse', distribution: 'Distribution', tests: 'All tests', test: 'Test', statistic: 'Statistic', estimate: 'Estimate',
    exploratory: 'exploratory', dataThrough: 'Data through', dataFrom: 'Data from', generated: 'Written', phase: 'Phase', configVersion: 'Config version',
    design: 'Design', offsets: 'Log offsets covered', partition: 'Partition', from: 'From', to: 'To', sql: 'SQL behind the numbers',
    replay: 'Check it yourself', evidence: 'Evidence', late: 'Late outcomes', unattributed: 'Unattributed outcomes', engine: 'Versions',
    digest: 'Evidence digest', decision: 'Decision', before: 'before', reasons: 'Why', none: 'none', mean: 'mean', tolerance: 'tolerance',
    difference: 'Difference from control', open: 'Open in Assay', logEpoch: 'Log epoch', check: 'Check', result: 'Result', explanation: 'Explanation',
    fixedHorizonNote: 'The fixed-horizon interval and p hold only for a single look at a planned end. The always-valid ones hold at every look and alone drive decisions.',
    boxNote: 'Box: quartiles. Line: median. Whiskers: last value within 1.5 box lengths. Diamond: mean.',
    intervalNote: 'Thin line: always-valid interval. Thick line: fixed-horizon interval. Dot: effect. Shaded: harm past the tolerance.',
    changed: 'changed', cut: 'Facts that arrived up to', primary: 'primary', analysis: 'Settings', notPaired: 'nothing is paired',
    pairs: 'Pairs', equal: 'equal', pairNote: 'Items that both variants answered, by who did better.', whiskers: 'whiskers', quartiles: 'quartiles',
    around: 'Before and after changes', aroundNote: 'Dashed line: the change. Each dot is one closed window.', noChange: 'No change of the experiment has windows on both sides.',
    calibration: 'Self-calibration', calibrationNote: 'Control is cut in halves by chance, again and again, and the metric’s own test is asked for a difference that is not there: it may be wrong as often as alpha says.',
  },
};
