import type {CanaryPlan} from '../core/experiment.ts';
import type {Verdict} from '../core/verdict.ts';
import type {Finding} from './evaluate.ts';

/** Where a canary stands: before its first step, at a step since a time, or over. */
export type CanaryState =
  | {readonly state: 'waiting'}
  | {readonly state: 'at_step'; readonly step: number; readonly since: number}
  | {readonly state: 'over'};

/** What one gate says; `hold` means not yet, which is no failure. */
export type GateResult = {readonly gate: string; readonly state: 'pass' | 'fail' | 'hold'; readonly reason: string; readonly finding: Finding | null};

export type CanaryStep =
  | {readonly action: 'step'; readonly step: number; readonly because: GateResult | null}
  | {readonly action: 'roll_back'; readonly because: GateResult}
  | {readonly action: null; readonly holding: readonly GateResult[]};

/**
 * Pure: the next step of a canary. A gate that fails rolls back at once; one that
 * cannot say yet holds the step, for as long as it takes.
 *
 *     waiting ─► 5 % ──hold over, every gate passes──► 20 % ──► 100 %
 *                 └──────── any gate fails ────────► rolled back
 */
export function advanceCanary(
  plan: CanaryPlan,
  canary: CanaryState,
  {gates, now}: {readonly gates: readonly GateResult[]; readonly now: number},
): CanaryStep {
  if (canary.state === 'over') return {action: null, holding: []};
  if (canary.state === 'waiting') return {action: 'step', step: 0, because: null};
  const failed = gates.find(gate => gate.state === 'fail');
  if (failed !== undefined) return {action: 'roll_back', because: failed};
  const holding = gates.filter(gate => gate.state === 'hold');
  const isLast = canary.step >= plan.steps.length - 1;
  if (isLast || holding.length > 0 || now < canary.since + plan.holdMs) return {action: null, holding};
  return {action: 'step', step: canary.step + 1, because: gates[0] ?? null};
}

/** A metric's gate from what its window says. */
export function metricGate(finding: Finding): GateResult {
  const state = finding.state === 'breach' ? 'fail' : finding.state === 'ok' ? 'pass' : 'hold';
  return {gate: finding.rule.metric, state, reason: finding.reason, finding};
}

/**
 * The gate that looks at the verdicts of the phase: units as the weights say (SRM),
 * and no harm by the always-valid intervals, which may be looked at any time.
 */
export function verdictGate(verdicts: readonly Verdict[], {variant, phase}: {readonly variant: string; readonly phase: number}): GateResult {
  const mine = verdicts.filter(verdict => verdict.variant === variant && verdict.phase === phase);
  const gate = 'no_harm';
  const result = (state: GateResult['state'], reason: string): GateResult => ({gate, state, reason, finding: null});
  const [first] = mine;
  if (first === undefined) return result('hold', 'there is no verdict of this phase yet');
  if (mine.some(({decision}) => decision === 'roll_back')) {
    const harmed = mine.find(({role, decision}) => decision === 'roll_back' && role !== 'diagnostic') ?? first;
    return result('fail', `the always-valid interval of ${harmed.metric} shows harm: ${harmed.cs_low} to ${harmed.cs_high}`);
  }
  if (first.health.srm.status === 'unhealthy') return result('hold', `units are not split as the weights say (p = ${first.srm_p_value})`);
  if (first.decision === 'unhealthy') return result('hold', `the experiment is unhealthy: ${first.reasons.join(', ')}`);
  if (first.decision === 'no_data') return result('hold', 'an arm has no data yet');
  return result('pass', 'no harm by the always-valid intervals, units as the weights say');
}
