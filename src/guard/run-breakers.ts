import type {Guard} from '../core/experiment.ts';
import type {GuardAsk} from '../warehouse/warehouse.ts';
import {advanceAlert} from './alert-state.ts';
import {advanceBreaker, type BreakerState, PROBE_SHARE} from './breaker.ts';
import {driftFinding} from './drift.ts';
import type {Finding} from './evaluate.ts';
import {alertsOfActions, earlierMsOf, findingOf, type GuardQuestion, metricsOf} from './guard-findings.ts';
import {lastAction} from './guard-evidence.ts';
import {type Act, askFor, type GuardActed, type GuardPorts, type GuardRequest, type Look, looksOf, makeEvidence, openEnd, publishAct} from './guard-look.ts';
import {moveWeight, refugeOf, weightOf} from './move-weight.ts';

/**
 * Looks once at every running experiment's circuit breakers, all by one query, and acts:
 * at most one action per experiment and look, each a version with its evidence.
 */
export async function runBreakers(ports: GuardPorts, request: GuardRequest): Promise<GuardActed[]> {
  const looks = looksOf(ports, request);
  const rows = await ports.warehouse.guardWindows(request.stream, looks.flatMap(asksOf));
  const acted = await Promise.all(
    looks.map(look => {
      const mine = rows.filter(row => row.experiment === look.current.experiment && row.phase === look.current.phase);
      const act = firstAct(questionsOf(look, isByWindow), question => breakerAct(look, question, findingOf(question, mine)));
      return act === undefined ? [] : actAndTell(ports, look, act);
    }),
  );
  return acted.flat();
}

/** As `runBreakers`, for guards whose distributions are read from facts, which takes its time. */
export async function runDriftGuards(ports: GuardPorts, request: GuardRequest): Promise<GuardActed[]> {
  const acted: GuardActed[] = [];
  for (const look of looksOf(ports, request)) {
    const findings = new Map<GuardQuestion, Finding>();
    const {stream, phase} = look.current;
    for (const question of questionsOf(look, isByFacts)) findings.set(question, await driftFinding(ports.warehouse, question, {stream, phase}));
    const act = firstAct([...findings.keys()], question => breakerAct(look, question, findings.get(question)));
    if (act !== undefined) acted.push(...(await actAndTell(ports, look, act)));
  }
  return acted;
}

/** Of a guard on windows the alert rule tells; of the others their own action does. */
async function actAndTell(ports: GuardPorts, look: Look, act: Act): Promise<GuardActed[]> {
  const acted = await publishAct(ports, look, act);
  const {finding} = act;
  if (acted.length === 0 || finding === undefined || !alertsOfActions(look.view).includes(finding.rule.name)) return acted;
  const {rule, experiment, variant} = finding;
  const {stream} = look.request;
  const last = (await ports.warehouse.latestAlerts(stream)).find(row => row.rule === rule.name && row.experiment === experiment && row.variant === variant);
  const next = advanceAlert(stream, finding, last ?? null);
  if (next !== null) await ports.warehouse.insertAlerts([next.row]);
  return acted;
}

const isByFacts = ({kind, action}: Guard): boolean => kind === 'drift' && action !== 'alert';
const isByWindow = ({kind, action}: Guard): boolean => kind !== 'drift' && action !== 'alert';

/** Every guard is asked about each treatment. */
function questionsOf({view, request}: Look, isMine: (guard: Guard) => boolean): GuardQuestion[] {
  const {guards, variants, control} = view.definition;
  const treatments = variants.map(({key}) => key).filter(key => key !== control);
  return guards.flatMap((guard, index) => (isMine(guard) ? treatments.map(variant => ({view, guard, index, variant, at: openEnd(request)})) : []));
}

function firstAct(questions: readonly GuardQuestion[], ask: (question: GuardQuestion) => Act | undefined): Act | undefined {
  for (const question of questions) {
    const act = ask(question);
    if (act !== undefined) return act;
  }
  return undefined;
}

/** One ask for each size of window, for all guards that have it. */
function asksOf(look: Look): GuardAsk[] {
  const {definition} = look.view;
  const bySize = new Map<number, {metrics: Set<string>; earlierMs: number}>();
  for (const guard of definition.guards.filter(isByWindow)) {
    const {windowMs} = guard;
    const known = bySize.get(windowMs) ?? {metrics: new Set(), earlierMs: 0};
    bySize.set(windowMs, known);
    for (const metric of metricsOf(definition, guard)) known.metrics.add(metric);
    known.earlierMs = Math.max(known.earlierMs, earlierMsOf(guard));
  }
  return [...bySize].map(([sizeMs, {metrics, earlierMs}]) => askFor(look, {sizeMs, metrics: [...metrics], earlierMs}));
}

function breakerAct(look: Look, {guard, index, variant}: GuardQuestion, finding: Finding | undefined): Act | undefined {
  const name = `breaker:${index}`;
  const {current, request, history} = look;
  const {definition} = current;
  const breaker = breakerState(lastAction(history, name, variant));
  const step = advanceBreaker(breaker, {guard, finding, now: request.now});
  if (step.action === null) return undefined;
  const about = {look, guard: name, variant, finding, windowMs: guard.windowMs};
  const partner = refugeOf(definition, variant);
  if (step.action === 'open') {
    if (guard.action === 'pause') return {definition: {...definition, lifecycle: 'paused'}, evidence: makeEvidence({...about, action: 'pause'}), finding};
    const weight = breaker.state === 'half_open' ? breaker.weight : weightOf(definition, variant);
    if (weightOf(definition, variant) === 0) return undefined;
    return {
      definition: moveWeight(definition, {variant, to: 0, partner}),
      evidence: {...makeEvidence({...about, action: 'open'}), trips: step.trips, retry_at: step.retryAt, weight},
      finding,
    };
  }
  if (breaker.state === 'closed') return undefined;
  const {weight, trips} = breaker;
  if (step.action === 'half_open') {
    const reason = `tried again with ${PROBE_SHARE * 100} % of its weight after ${trips + 1} failure(s)`;
    return {
      definition: moveWeight(definition, {variant, to: weight * PROBE_SHARE, partner}),
      evidence: {...makeEvidence({...about, finding: undefined, action: 'half_open', reason}), trips, weight},
    };
  }
  return {definition: moveWeight(definition, {variant, to: weight, partner}), evidence: {...makeEvidence({...about, action: 'close'}), weight}, finding};
}

export function breakerState(last: ReturnType<typeof lastAction>): BreakerState {
  if (last === undefined) return {state: 'closed'};
  const {evidence, version} = last;
  const {trips = 0, weight = 0, retry_at: retryAt = 0} = evidence;
  if (evidence.action === 'open') return {state: 'open', trips, retryAt, weight};
  if (evidence.action === 'half_open') return {state: 'half_open', trips, since: version.validFrom, weight};
  return {state: 'closed'};
}
