import type {ExperimentView, Guard, Metric} from '../core/experiment.ts';

/**
 * What a rule looks at.
 * - `window`, `dynamic`, `no_data`: sliding windows of each variant;
 * - `budget`: the sum of a metric over all variants of an experiment;
 * - `drift`: how far a measure's distribution lies from that of an earlier time (KS distance);
 * - `pair_coverage`, `srm`, `crossovers`, `ledger`: the newest verdicts.
 */
export const RULE_KINDS = ['window', 'dynamic', 'no_data', 'budget', 'drift', 'pair_coverage', 'srm', 'crossovers', 'ledger'] as const;
export type RuleKind = (typeof RULE_KINDS)[number];

/** Kinds that are judged by windows alone, so that they can be backtested. */
export const WINDOW_KINDS: readonly RuleKind[] = ['window', 'dynamic', 'no_data', 'budget'];

/** Which number of a window is compared. */
export const WINDOW_STATISTICS = ['mean', 'sum', 'n', 'p50', 'p95', 'p99'] as const;
export type WindowStatistic = (typeof WINDOW_STATISTICS)[number];

export type RuleAction = Guard['action'];
export const RULE_ACTIONS: readonly RuleAction[] = ['alert', 'pause', 'roll_back'];

export const RULE_SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof RULE_SEVERITIES)[number];

export const RULE_DIRECTIONS = ['above', 'below', 'both'] as const;

/** The bound of a `dynamic` rule: mean ± sigmas · sd of the windows before. */
export type Dynamic = {
  readonly sigmas: number;
  /** How many windows before. */
  readonly history: number;
  /** With it the windows before lie this far apart (the same hour of earlier days); otherwise they are adjacent. */
  readonly seasonMs: number | null;
  readonly direction: (typeof RULE_DIRECTIONS)[number];
};

/** A breach is strict: above means >, below means <. */
export type Rule = {
  /** Unique; part of the alert's id. */
  readonly name: string;
  readonly kind: RuleKind;
  /** An experiment, or '*' for all. */
  readonly experiment: string;
  /** Null for every variant; guards of an experiment judge treatments only. */
  readonly variants: readonly string[] | null;
  /** A metric's key; of `drift` a measure; '' where there is none to name. */
  readonly metric: string;
  /** One value of an attribute that the metric keeps windows by. */
  readonly dimension?: {readonly name: string; readonly value: string} | null;
  readonly statistic: WindowStatistic;
  readonly windowMs: number;
  /** How often it is judged; the stream's slice unless given, a `dynamic` rule's window. */
  readonly everyMs?: number | null;
  readonly above: number | null;
  readonly below: number | null;
  readonly dynamic?: Dynamic | null;
  /** Of `drift`: how much earlier time is the reference. */
  readonly referenceMs?: number;
  /** With fewer observations the rule is inconclusive, which is neither breach nor calm. */
  readonly minN: number;
  /** How long a breach must last before the alert fires. */
  readonly forMs: number;
  readonly severity: Severity;
  /** For routes, silences and inhibition, beside those every alert has. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Texts with `{{value}}`, `{{threshold}}`, `{{n}}`, `{{rule}}`, `{{experiment}}`, `{{variant}}`, `{{severity}}`, `{{reason}}`. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Only `alert` acts here; the other actions are named in the alert. */
  readonly action: RuleAction;
};

/** `index` is the guard's place in its definition. */
export const guardRuleName = ({experiment, metric, index}: {readonly experiment: string; readonly metric: string; readonly index: number}): string => `guard:${experiment}:${metric}:${index}`;

/** The alert rules that an experiment's own guards on windows stand for. A guard on a metric that has no window value is left out by validation of the definition. */
export function rulesOfGuards(view: ExperimentView): Rule[] {
  const {control, variants, guards} = view.definition;
  const treatments = variants.map(variant => variant.key).filter(key => key !== control);
  return guards.flatMap((guard, index) => (guard.kind === undefined ? [windowRuleOf(view, {guard, index, variants: treatments})] : []));
}

/** A guard on windows as a rule about some of its experiment's variants. */
export function windowRuleOf({definition}: ExperimentView, {guard, index, variants}: {readonly guard: Guard; readonly index: number; readonly variants: readonly string[]}): Rule {
  const {experiment, metrics} = definition;
  return {
    name: guardRuleName({experiment, metric: guard.metric, index}),
    kind: 'window',
    experiment,
    variants,
    metric: guard.metric,
    statistic: statisticOf(metrics.find(metric => metric.key === guard.metric)),
    windowMs: guard.windowMs,
    above: guard.above,
    below: guard.below,
    minN: guard.minN,
    forMs: 0,
    severity: guard.action === 'alert' ? 'warning' : 'critical',
    action: guard.action,
  };
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
