import type {CanaryPlan, ExperimentDefinition, ExperimentView} from '../core/experiment.ts';
import type {Verdict} from '../core/verdict.ts';
import {canaryPlanOf} from '../experiment/canary-plan.ts';
import type {WindowRow} from '../warehouse/warehouse.ts';
import {advanceCanary, type CanaryState, type GateResult, metricGate, verdictGate} from './canary.ts';
import {lastAction} from './guard-evidence.ts';
import {type Act, askFor, type GuardActed, type GuardPorts, type GuardRequest, judge, type Look, looksOf, makeEvidence, openEnd, publishAct} from './guard-look.ts';
import {moveWeight, refugeOf, totalWeight, weightOf} from './move-weight.ts';
import {type Rule, statisticOf} from './rules.ts';
import {breakerState} from './run-breakers.ts';

/** A canary, where it stands, and the window its gates look at. */
type Canary = {readonly look: Look; readonly plan: CanaryPlan; readonly state: CanaryState; readonly windowMs: number};

/** Looks once at every canary and takes the next step, holds, or rolls back. */
export async function runCanaries(ports: GuardPorts, request: GuardRequest): Promise<GuardActed[]> {
  const canaries = looksOf(ports, request).flatMap(canaryOf);
  const asks = canaries.flatMap(({look, plan, state, windowMs}) =>
    state.state === 'at_step' && plan.gates.length > 0 ? [askFor(look, {sizeMs: windowMs, metrics: plan.gates.map(({metric}) => metric)})] : [],
  );
  const rows = await ports.warehouse.guardWindows(request.stream, asks);
  const acted: GuardActed[] = [];
  for (const canary of canaries) {
    const {experiment, phase} = canary.look.current;
    const mine = rows.filter(row => row.experiment === experiment && row.phase === phase);
    const act = await canaryAct(ports, canary, mine);
    if (act !== undefined) acted.push(...(await publishAct(ports, canary.look, act)));
  }
  return acted;
}

/** A tripped breaker decides about the variant until it is closed again. */
function canaryOf(look: Look): Canary[] {
  const {current, history, request} = look;
  const plan = canaryPlanOf(current.definition);
  if (plan === undefined) return [];
  const isTripped = current.definition.guards.some((_, index) => breakerState(lastAction(history, `breaker:${index}`, plan.variant)).state !== 'closed');
  const windowMs = Math.max(1, Math.ceil(plan.holdMs / request.sliceMs)) * request.sliceMs;
  return isTripped ? [] : [{look, plan, windowMs, state: canaryState(look, lastAction(history, 'canary', plan.variant))}];
}

function canaryState({current}: Look, last: ReturnType<typeof lastAction>): CanaryState {
  if (last === undefined) return {state: 'waiting'};
  if (last.evidence.action === 'roll_back') return {state: 'over'};
  return {state: 'at_step', step: last.evidence.step ?? 0, since: current.phase === last.version.phase ? last.version.validFrom : current.validFrom};
}

async function canaryAct(ports: GuardPorts, canary: Canary, rows: readonly WindowRow[]): Promise<Act | undefined> {
  const {look, plan, state} = canary;
  const {variant} = plan;
  const {definition} = look.current;
  const gates = state.state === 'at_step' ? await gatesOf(ports, canary, rows) : [];
  const step = advanceCanary(plan, state, {gates, now: look.request.now});
  if (step.action === null) return undefined;
  const because = step.because ?? {gate: '', state: 'pass' as const, reason: 'the first step', finding: null};
  const about = {look, guard: 'canary', variant, finding: because.finding ?? undefined, windowMs: plan.holdMs, reason: because.reason};
  if (step.action === 'roll_back') {
    return {definition: moveWeight(definition, {variant, to: 0, partner: refugeOf(definition, variant)}), evidence: makeEvidence({...about, action: 'roll_back'})};
  }
  const percent = plan.steps[step.step] ?? 0;
  const isLast = step.step === plan.steps.length - 1;
  const reason = step.because === null ? `begins at ${percent} %` : `every gate passed: on to ${percent} %`;
  return {
    definition: atPercent(definition, variant, percent),
    evidence: {...makeEvidence({...about, action: isLast ? 'promote' : 'step', reason}), step: step.step},
  };
}

/** At control's cost; at 100 % at everybody's. */
function atPercent(definition: ExperimentDefinition, variant: string, percent: number): ExperimentDefinition {
  const total = totalWeight(definition);
  if (percent === 100) return {...definition, variants: definition.variants.map(one => ({...one, weight: one.key === variant ? total : 0}))};
  return moveWeight(definition, {variant, to: (total * percent) / 100, partner: definition.control});
}

async function gatesOf({warehouse}: GuardPorts, {look, plan, windowMs}: Canary, rows: readonly WindowRow[]): Promise<GateResult[]> {
  const {current, view, request} = look;
  const findings = plan.gates.flatMap(gate => judge(gateRule(view, {plan, gate, windowMs}), rows, openEnd(request)) ?? []);
  const isWhole = weightOf(current.definition, plan.variant) === totalWeight(current.definition);
  // With everybody on the variant there is nobody to compare it with.
  const verdicts: Verdict[] = isWhole ? [] : await warehouse.latestVerdicts(request.stream, current.experiment);
  const comparison = isWhole ? [] : [verdictGate(verdicts, {variant: plan.variant, phase: current.phase})];
  return [...findings.map(metricGate), ...comparison];
}

/** A gate says what is good (`below: 200`); the rule says what is bad. */
function gateRule(view: ExperimentView, {plan, gate, windowMs}: {plan: CanaryPlan; gate: CanaryPlan['gates'][number]; windowMs: number}): Rule {
  return {
    name: `canary:${view.experiment}:${gate.metric}`,
    kind: 'window',
    experiment: view.experiment,
    variants: [plan.variant],
    metric: gate.metric,
    statistic: statisticOf(view.definition.metrics.find(({key}) => key === gate.metric)),
    windowMs,
    above: gate.below,
    below: gate.above,
    minN: gate.minN,
    forMs: 0,
    severity: 'critical',
    action: 'roll_back',
  };
}
