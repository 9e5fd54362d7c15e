import {AssayError} from '../core/errors.ts';
import type {ExperimentDefinition, ExperimentView, Guard} from '../core/experiment.ts';
import type {Logger, Metrics} from '../core/telemetry.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import type {Verdict} from '../core/verdict.ts';
import {canaryPlanOf} from '../experiment/canary-plan.ts';
import type {ExperimentRegistry} from '../experiment/registry.ts';
import {currentVersions, historyOf, type StoredVersion, viewOf} from '../experiment/state.ts';
import type {ReadStore, VerdictStore, WindowRow} from '../warehouse/warehouse.ts';
import {advanceBreaker, type BreakerState, dynamicAbove, HISTORY_WINDOWS, PROBE_SHARE} from './breaker.ts';
import {advanceCanary, type CanaryState, type GateResult, metricGate, verdictGate} from './canary.ts';
import {evaluateRule, type Finding} from './evaluate.ts';
import {evidenceText, GUARD_AUTHOR, type GuardEvidence, lastAction} from './guard-evidence.ts';
import {moveWeight, refugeOf, totalWeight, weightOf} from './move-weight.ts';
import {type Rule, rulesOfGuards, statisticOf} from './rules.ts';

export type GuardPorts = {
  readonly warehouse: Pick<ReadStore & VerdictStore, 'windows' | 'latestVerdicts'>;
  readonly registry: ExperimentRegistry;
  readonly logger: Logger;
  readonly metrics: Metrics;
};

export type GuardRequest = {
  readonly stream: string;
  readonly sliceMs: number;
  /** Present, in the stream's own time. */
  readonly now: EpochMs;
  /** On a simulation's stream: versions hold from `now`. */
  readonly isVirtual?: boolean;
};

/** What a guard did: the version it made and why. */
export type GuardActed = {readonly version: StoredVersion; readonly evidence: GuardEvidence};

type Act = {readonly definition: ExperimentDefinition; readonly evidence: GuardEvidence};
/** Everything one experiment's guards look at. */
type Look = {readonly view: ExperimentView; readonly history: readonly StoredVersion[]; readonly current: StoredVersion; readonly request: GuardRequest};

/**
 * Looks once at every running experiment that has guards or a canary, and acts: at
 * most one action per experiment and look, each a version of the experiment with
 * its evidence. Whoever changed the experiment meanwhile wins; the next look starts
 * from what he made.
 */
export async function runGuards(ports: GuardPorts, request: GuardRequest): Promise<GuardActed[]> {
  const state = ports.registry.snapshot();
  const acted: GuardActed[] = [];
  for (const current of currentVersions(state, request.stream)) {
    const {definition, experiment} = current;
    const view = viewOf(state, {stream: request.stream, experiment});
    const isGuarded = definition.guards.some(({action}) => action !== 'alert') || canaryPlanOf(definition) !== undefined;
    if (view === undefined || !isGuarded || definition.lifecycle !== 'running' || !definition.hasWeights) continue;
    const look: Look = {view, current, request, history: historyOf(state, request.stream, experiment)};
    const act = (await breakerAct(ports, look)) ?? (await canaryAct(ports, look));
    const done = act === undefined ? undefined : await publish(ports, look, act);
    if (done !== undefined) acted.push(done);
  }
  return acted;
}

async function publish({registry, logger, metrics}: GuardPorts, {current, request}: Look, {definition, evidence}: Act): Promise<GuardActed | undefined> {
  try {
    const version = await registry.publish({
      stream: request.stream,
      definition,
      author: GUARD_AUTHOR,
      reason: evidenceText(evidence),
      expectedVersion: current.version,
      ...(request.isVirtual === true ? {validFrom: request.now} : {}),
    });
    metrics.count('assay_guard_actions_total', 1, {action: evidence.action});
    logger.warn('guard acted', {experiment: current.experiment, ...evidence});
    return {version, evidence};
  } catch (error) {
    if (!(error instanceof AssayError) || error.code !== 'ASSAY_EXPERIMENT_CONFLICT') throw error;
    logger.info('guard was overtaken', {experiment: current.experiment, action: evidence.action});
    return undefined;
  }
}

/** Windows of the present phase alone: the newest, which holds the open slice, and those that end up to `earlierMs` before. */
async function windowsOf({warehouse}: GuardPorts, {current, request}: Look, {sizeMs, earlierMs}: {readonly sizeMs: number; readonly earlierMs: number}): Promise<WindowRow[]> {
  const {stream, sliceMs} = request;
  const to = openEnd(request);
  const rows = await warehouse.windows({
    stream, experiment: current.experiment, sizeMs, slideMs: sliceMs,
    from: epochMs(Math.max(0, to - Math.max(sliceMs, earlierMs))),
    to,
  });
  return rows.filter(({phase}) => phase === current.phase);
}

const openEnd = ({now, sliceMs}: GuardRequest): EpochMs => epochMs((Math.floor(now / sliceMs) + 1) * sliceMs);

// ── circuit breaker ───────────────────────────────────────────────────────────

async function breakerAct(ports: GuardPorts, look: Look): Promise<Act | undefined> {
  const {view} = look;
  const rules = rulesOfGuards(view);
  for (const [index, guard] of view.definition.guards.entries()) {
    const rule = rules[index];
    if (guard.action === 'alert' || rule === undefined) continue;
    const earlierMs = guard.sigmas === undefined ? 0 : HISTORY_WINDOWS * guard.windowMs;
    const windows = await windowsOf(ports, look, {sizeMs: guard.windowMs, earlierMs});
    for (const variant of rule.variants ?? []) {
      const act = oneBreaker(look, {guard, rule, windows, variant, name: `breaker:${index}`});
      if (act !== undefined) return act;
    }
  }
  return undefined;
}

type Breaker = {readonly guard: Guard; readonly rule: Rule; readonly windows: readonly WindowRow[]; readonly variant: string; readonly name: string};

function oneBreaker(look: Look, {guard, rule, windows, variant, name}: Breaker): Act | undefined {
  const {current, request, history} = look;
  const {definition} = current;
  const breaker = breakerState(lastAction(history, name, variant));
  const mine = windows.filter(row => row.variant === variant && row.metric === guard.metric);
  const at = openEnd(request);
  // Windows end to end, that share no outcome with the newest one nor with each other.
  const isEarlier = (row: WindowRow): boolean => row.window_end < at && (at - row.window_end) % guard.windowMs === 0;
  const earlier = mine.filter(isEarlier).map(row => (rule.statistic === 'n' ? row.n : row[rule.statistic]));
  const bounded: Rule = {...rule, variants: [variant], above: dynamicAbove(guard, earlier)};
  const [finding] = evaluateRule(bounded, {at, windows: mine, verdicts: []});
  const step = advanceBreaker(breaker, {guard, finding, now: request.now});
  if (step.action === null) return undefined;
  const about = {look, guard: name, variant, finding, windowMs: guard.windowMs};
  const partner = refugeOf(definition, variant);
  if (step.action === 'open') {
    if (guard.action === 'pause') return {definition: {...definition, lifecycle: 'paused'}, evidence: evidence({...about, action: 'pause'})};
    const weight = breaker.state === 'half_open' ? breaker.weight : weightOf(definition, variant);
    if (weightOf(definition, variant) === 0) return undefined;
    return {
      definition: moveWeight(definition, {variant, to: 0, partner}),
      evidence: {...evidence({...about, action: 'open'}), trips: step.trips, retry_at: step.retryAt, weight},
    };
  }
  if (breaker.state === 'closed') return undefined;
  const {weight, trips} = breaker;
  if (step.action === 'half_open') {
    const reason = `tried again with ${PROBE_SHARE * 100} % of its weight after ${trips + 1} failure(s)`;
    return {
      definition: moveWeight(definition, {variant, to: weight * PROBE_SHARE, partner}),
      evidence: {...evidence({...about, finding: undefined, action: 'half_open', reason}), trips, weight},
    };
  }
  return {definition: moveWeight(definition, {variant, to: weight, partner}), evidence: {...evidence({...about, action: 'close'}), weight}};
}

function breakerState(last: ReturnType<typeof lastAction>): BreakerState {
  if (last === undefined) return {state: 'closed'};
  const {evidence, version} = last;
  const {trips = 0, weight = 0, retry_at: retryAt = 0} = evidence;
  if (evidence.action === 'open') return {state: 'open', trips, retryAt, weight};
  if (evidence.action === 'half_open') return {state: 'half_open', trips, since: version.validFrom, weight};
  return {state: 'closed'};
}

// ── canary ────────────────────────────────────────────────────────────────────

async function canaryAct(ports: GuardPorts, look: Look): Promise<Act | undefined> {
  const {current, request, history} = look;
  const {definition} = current;
  const plan = canaryPlanOf(definition);
  if (plan === undefined) return undefined;
  const {variant} = plan;
  // A tripped breaker decides about the variant until it is closed again.
  const isTripped = definition.guards.some((_, index) => breakerState(lastAction(history, `breaker:${index}`, variant)).state !== 'closed');
  if (isTripped) return undefined;
  const canary = canaryState(look, lastAction(history, 'canary', variant));
  const gates = canary.state === 'at_step' ? await gatesOf(ports, look) : [];
  const step = advanceCanary(plan, canary, {gates, now: request.now});
  if (step.action === null) return undefined;
  const because = step.because ?? {gate: '', state: 'pass' as const, reason: 'the first step', finding: null};
  const about = {look, guard: 'canary', variant, finding: because.finding ?? undefined, windowMs: plan.holdMs, reason: because.reason};
  if (step.action === 'roll_back') {
    return {definition: moveWeight(definition, {variant, to: 0, partner: refugeOf(definition, variant)}), evidence: evidence({...about, action: 'roll_back'})};
  }
  const percent = plan.steps[step.step] ?? 0;
  const isLast = step.step === plan.steps.length - 1;
  const reason = step.because === null ? `begins at ${percent} %` : `every gate passed: on to ${percent} %`;
  return {
    definition: atPercent(definition, variant, percent),
    evidence: {...evidence({...about, action: isLast ? 'promote' : 'step', reason}), step: step.step},
  };
}

function canaryState({current}: Look, last: ReturnType<typeof lastAction>): CanaryState {
  if (last === undefined) return {state: 'waiting'};
  if (last.evidence.action === 'roll_back') return {state: 'over'};
  return {state: 'at_step', step: last.evidence.step ?? 0, since: current.phase === last.version.phase ? last.version.validFrom : current.validFrom};
}

/** At control's cost; at 100 % at everybody's. */
function atPercent(definition: ExperimentDefinition, variant: string, percent: number): ExperimentDefinition {
  const total = totalWeight(definition);
  if (percent === 100) return {...definition, variants: definition.variants.map(one => ({...one, weight: one.key === variant ? total : 0}))};
  return moveWeight(definition, {variant, to: (total * percent) / 100, partner: definition.control});
}

async function gatesOf(ports: GuardPorts, look: Look): Promise<GateResult[]> {
  const {current, view, request} = look;
  const plan = canaryPlanOf(current.definition);
  if (plan === undefined) return [];
  const windowMs = Math.max(1, Math.ceil(plan.holdMs / request.sliceMs)) * request.sliceMs;
  const windows = await windowsOf(ports, look, {sizeMs: windowMs, earlierMs: 0});
  const findings = plan.gates.map((gate): Finding[] =>
    evaluateRule(gateRule(view, {plan, gate, windowMs}), {at: openEnd(request), windows, verdicts: []}),
  );
  const isWhole = weightOf(current.definition, plan.variant) === totalWeight(current.definition);
  // With everybody on the variant there is nobody to compare it with.
  const verdicts: Verdict[] = isWhole ? [] : await ports.warehouse.latestVerdicts(request.stream, current.experiment);
  const comparison = isWhole ? [] : [verdictGate(verdicts, {variant: plan.variant, phase: current.phase})];
  return [...findings.flat().map(metricGate), ...comparison];
}

type Gate = NonNullable<ReturnType<typeof canaryPlanOf>>['gates'][number];

/** A gate says what is good (`below: 200`); the rule says what is bad. */
function gateRule(view: ExperimentView, {plan, gate, windowMs}: {plan: {readonly variant: string}; gate: Gate; windowMs: number}): Rule {
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

type About = {
  readonly look: Look;
  readonly guard: string;
  readonly action: GuardEvidence['action'];
  readonly variant: string;
  readonly finding: Finding | undefined;
  readonly windowMs: number;
  readonly reason?: string;
};

function evidence({look, guard, action, variant, finding, windowMs, reason}: About): GuardEvidence {
  const iso = (at: EpochMs | null | undefined): string | null => (at === null || at === undefined ? null : new Date(at).toISOString());
  return {
    guard, action, variant,
    metric: finding?.rule.metric ?? '',
    value: finding?.value ?? null,
    threshold: finding?.threshold ?? null,
    n: finding?.n ?? 0,
    window_ms: windowMs,
    window_start: iso(finding?.windowStart),
    window_end: iso(finding?.windowEnd),
    reason: reason ?? finding?.reason ?? '',
    at: new Date(look.request.now).toISOString(),
    phase: look.current.phase,
  };
}
