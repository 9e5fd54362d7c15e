import type {AnalysisSettings, Direction, Lifecycle, MetricRole} from '../core/experiment.ts';
import type {Decision} from '../core/verdict.ts';
import {type ReasonCode, reasonOf} from './reasons.ts';

/** What a decision needs of one metric of one treatment. */
export type MetricStanding = {
  readonly key: string;
  readonly role: MetricRole;
  readonly direction: Direction;
  readonly tolerance: number;
  readonly minEffect: number;
  /** Pairs, or the smaller arm. */
  readonly n: number;
  /** variant − control; null when a mean is missing. */
  readonly effect: number | null;
  /** Always-valid interval of the effect at the corrected alpha, or why there is none. */
  readonly interval: AlwaysValidInterval;
};

export type AlwaysValidInterval =
  | {readonly status: 'ok'; readonly low: number; readonly high: number}
  | {readonly status: 'no_method' | 'below_min_n' | 'not_computable'; readonly reason?: string};

export type DecisionInputs = {
  readonly emptyArms: readonly ('control' | 'variant')[];
  /** Failed health checks. */
  readonly healthFailures: readonly ReasonCode[];
  readonly metrics: readonly MetricStanding[];
  readonly settings: AnalysisSettings;
  readonly lifecycle: Lifecycle;
  /** From the first outcome to the cut; null without outcomes. */
  readonly runMs: number | null;
};

export type DecisionResult = {readonly decision: Decision; readonly reasons: readonly string[]};

/**
 * The decision about one treatment (DESIGN §6): the first rule that matches.
 *
 *     no_data → unhealthy → keep_running (too little) → roll_back → ship
 *             → inconclusive (no more to come) → keep_running
 *
 * Only always-valid intervals are looked at, so it may be asked at any time.
 */
export function decide(inputs: DecisionInputs): DecisionResult {
  const {emptyArms, healthFailures} = inputs;
  if (emptyArms.length > 0) return result('no_data', emptyArms.map(arm => reasonOf(`arm_empty_${arm}`)));
  if (healthFailures.length > 0) return result('unhealthy', healthFailures.map(code => reasonOf(code)));
  const early = tooEarly(inputs);
  if (early.length > 0) return result('keep_running', early);
  const harm = harmed(inputs.metrics);
  if (harm.length > 0) return result('roll_back', harm);
  const blockers = shipBlockers(inputs.metrics);
  if (blockers.length === 0) return result('ship', shipReasons(inputs.metrics));
  const end = ended(inputs);
  if (end.length > 0) return result('inconclusive', [...end, ...blockers]);
  return result('keep_running', blockers);
}

/** A metric below min_n has no interval, so it cannot act; only when none has enough is it too early for all. */
function tooEarly({metrics, settings, runMs}: DecisionInputs): string[] {
  const able = metrics.filter(isDeciding).filter(metric => metric.interval.status !== 'no_method');
  const reasons: string[] = [];
  if (able.length > 0 && able.every(metric => metric.n < settings.minN)) reasons.push(reasonOf('below_min_n'));
  if (runMs !== null && runMs < settings.minRunMs) reasons.push(reasonOf('too_early'));
  return reasons;
}

function harmed(metrics: readonly MetricStanding[]): string[] {
  return metrics
    .filter(isDeciding)
    .filter(metric => goodness(metric) !== null && (goodness(metric)?.high ?? 0) < -metric.tolerance)
    .map(metric => reasonOf(metric.role === 'goal' ? 'goal_harmed' : 'guardrail_harmed', metric.key));
}

function shipBlockers(metrics: readonly MetricStanding[]): string[] {
  const goals = metrics.filter(metric => metric.role === 'goal');
  if (goals.length === 0) return [reasonOf('no_goal')];
  const blockers = metrics.filter(isDeciding).map(metric => ({
    metric,
    code: metric.role === 'goal' ? goalBlocker(metric) : guardrailBlocker(metric),
  }));
  return blockers.flatMap(({metric, code}) => (code === null ? [] : [reasonOf(code, metric.key)]));
}

function goalBlocker(metric: MetricStanding): ReasonCode | null {
  const good = goodness(metric);
  if (metric.interval.status === 'no_method') return 'goal_without_always_valid';
  if (metric.interval.status === 'below_min_n') return 'below_min_n';
  if (good === null) return 'goal_not_computable';
  if (good.high < 0) return 'goal_leans_harmful';
  if (good.low <= 0) return 'goal_undecided';
  return good.effect < metric.minEffect ? 'effect_below_minimum' : null;
}

function guardrailBlocker(metric: MetricStanding): ReasonCode | null {
  const good = goodness(metric);
  if (metric.interval.status === 'no_method') return null;
  if (metric.interval.status === 'below_min_n') return 'below_min_n';
  if (good === null) return isConstantAndHarmless(metric) ? null : 'guardrail_not_computable';
  return good.low < -metric.tolerance ? 'guardrail_undecided' : null;
}

function shipReasons(metrics: readonly MetricStanding[]): string[] {
  const guardrails = metrics.filter(metric => metric.role === 'guardrail');
  const skipped = guardrails.filter(metric => metric.interval.status === 'no_method');
  const constant = guardrails.filter(isConstantAndHarmless);
  const reasons = [reasonOf('goals_improved')];
  if (guardrails.length > skipped.length) reasons.push(reasonOf('guardrails_hold'));
  return [
    ...reasons,
    ...constant.map(metric => reasonOf('guardrail_constant', metric.key)),
    ...skipped.map(metric => reasonOf('guardrail_without_always_valid', metric.key)),
  ];
}

/** A measure that never varied in either arm, and does not differ for the worse: its interval is that point. */
function isConstantAndHarmless({interval, direction, effect, tolerance}: MetricStanding): boolean {
  if (interval.status !== 'not_computable' || interval.reason !== 'zero_variance' || effect === null) return false;
  return (direction === 'higher' ? effect : -effect) >= -tolerance;
}

function ended({metrics, settings, lifecycle, runMs}: DecisionInputs): string[] {
  const goals = metrics.filter(metric => metric.role === 'goal');
  const counted = goals.length > 0 ? goals : metrics.filter(isDeciding);
  const {maxN, maxRunMs} = settings;
  const reasons: string[] = [];
  if (maxN !== null && counted.length > 0 && counted.every(metric => metric.n >= maxN)) reasons.push(reasonOf('max_n_reached'));
  if (maxRunMs !== null && runMs !== null && runMs >= maxRunMs) reasons.push(reasonOf('max_run_reached'));
  if (lifecycle === 'concluded' || lifecycle === 'archived') reasons.push(reasonOf('concluded'));
  return reasons;
}

/** Interval and effect turned so that up is good; null without an interval. */
function goodness({interval, direction, effect}: MetricStanding): {low: number; high: number; effect: number} | null {
  if (interval.status !== 'ok') return null;
  if (direction === 'higher') return {low: interval.low, high: interval.high, effect: effect ?? 0};
  return {low: -interval.high, high: -interval.low, effect: -(effect ?? 0)};
}

function isDeciding(metric: MetricStanding): boolean {
  return metric.role !== 'diagnostic';
}

function result(decision: Decision, reasons: readonly string[]): DecisionResult {
  return {decision, reasons};
}
