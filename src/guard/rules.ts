import type {ExperimentView, Guard, Metric} from '../core/experiment.ts';

/** What a rule looks at. */
export type RuleKind = 'window' | 'pair_coverage' | 'srm';
/** Which number of a window is compared. */
export type WindowStatistic = 'mean' | 'sum' | 'n' | 'p50' | 'p95' | 'p99';
export type RuleAction = Guard['action'];

const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * A static threshold. `window` compares a number of the newest sliding window of
 * each variant; `pair_coverage` and `srm` compare the newest verdicts. A breach is
 * strict: above means >, below means <.
 */
export type Rule = {
  /** Unique; part of the alert's id. */
  readonly name: string;
  readonly kind: RuleKind;
  /** An experiment, or '*' for all. */
  readonly experiment: string;
  /** Null for every variant; guards of an experiment judge treatments only. */
  readonly variants: readonly string[] | null;
  /** '' unless kind = window. */
  readonly metric: string;
  readonly statistic: WindowStatistic;
  readonly windowMs: number;
  readonly above: number | null;
  readonly below: number | null;
  /** With fewer observations the rule is inconclusive, which is neither breach nor calm. */
  readonly minN: number;
  /** How long a breach must last before the alert fires. */
  readonly forMs: number;
  readonly severity: Severity;
  /** Only `alert` acts here; the other actions are named in the alert. */
  readonly action: RuleAction;
};

/** The rules that an experiment's own guards stand for. A guard on a metric that has no window value is left out by validation of the definition. */
export function rulesOfGuards(view: ExperimentView): Rule[] {
  const {experiment, control, variants, guards, metrics} = view.definition;
  const treatments = variants.map(variant => variant.key).filter(key => key !== control);
  return guards.map((guard, index) => ({
    name: `guard:${experiment}:${guard.metric}:${index}`,
    kind: 'window',
    experiment,
    variants: treatments,
    metric: guard.metric,
    statistic: statisticOf(metrics.find(metric => metric.key === guard.metric)),
    windowMs: guard.windowMs,
    above: guard.above,
    below: guard.below,
    minN: guard.minN,
    forMs: 0,
    severity: guard.action === 'alert' ? 'warning' : 'critical',
    action: guard.action,
  }));
}

/** The number of a window that a metric's own aggregate means. */
export function statisticOf(metric: Metric | undefined): WindowStatistic {
  switch (metric?.aggregate) {
    case 'p50':
    case 'p95':
    case 'p99':
      return metric.aggregate;
    case 'total':
      return 'sum';
    case 'conversion':
      return 'n';
    default:
      return 'mean';
  }
}

export const RULE_KINDS: readonly RuleKind[] = ['window', 'pair_coverage', 'srm'];
export const WINDOW_STATISTICS: readonly WindowStatistic[] = ['mean', 'sum', 'n', 'p50', 'p95', 'p99'];
export const RULE_ACTIONS: readonly RuleAction[] = ['alert', 'pause', 'roll_back'];
export const RULE_SEVERITIES: readonly Severity[] = SEVERITIES;
