import type {ExperimentView, Guard, PhaseSpan} from '../core/experiment.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import type {StoredVersion} from '../experiment/state.ts';
import type {Episode} from './backtest.ts';
import {advanceBreaker, type BreakerState} from './breaker.ts';
import type {Finding} from './evaluate.ts';
import {evidenceOf} from './guard-evidence.ts';
import {metricsOf, ruleNameOf} from './guard-findings.ts';
import {type PastSpan, pastLook} from './past-looks.ts';
import {preventedIn, type Stretch} from './prevented.ts';

export type GuardSpan = PastSpan & {
  /** Of the experiment, oldest first. */
  readonly history: readonly StoredVersion[];
  readonly from: EpochMs;
};

/** One variant on its way through the stretch. */
type Course = {
  readonly variant: string;
  breaker: BreakerState;
  /** When the breaker last moved: windows that began before it are of another split. */
  since: number;
  episode: Opened | null;
};
type Opened = {readonly finding: Finding; readonly at: EpochMs; readonly stretches: Stretch[]; cutFrom: EpochMs | null};
type Closed = {readonly course: Course; readonly opened: Opened; readonly resolvedAt: EpochMs | null};

/**
 * When a guard would have acted over stored slices, and what the variant did while it
 * would have been cut off. Findings and the breaker are those of the live guard; it looks
 * at the end of each slice, a drift guard each half window.
 *
 * The data shows what was served, not what the guard would have left: while the breaker
 * is open the stored windows are passed over, and a try is judged by the first whole window
 * after it began.
 */
export async function backtestGuard(span: GuardSpan): Promise<Episode[]> {
  const {view, index, to} = span;
  const guard = view.definition.guards[index];
  if (guard === undefined) throw new TypeError(`experiment ${view.experiment} has no guard ${index}`);
  const {variants, control} = view.definition;
  const courses = variants.filter(({key}) => key !== control).map(({key}): Course => ({variant: key, breaker: {state: 'closed'}, since: Number.NEGATIVE_INFINITY, episode: null}));
  const ended: Closed[] = [];
  const decided = decidedPhases(span.history);
  const look = pastLook(span, guard);
  let phase: PhaseSpan | undefined;
  let isPaused = false;
  for (let at = firstAfter(span.from, look.stepMs); at <= to; at = epochMs(at + look.stepMs)) {
    for (const now of phasesIn(view, {from: at - look.stepMs, to: at})) {
      if (now !== phase && phase !== undefined && decided.has(now.phase)) {
        isPaused = false;
        for (const course of courses) forget(course, {at: epochMs(Math.max(now.validFrom, course.episode?.at ?? 0)), ended});
      }
      phase = now;
      const movedAt = epochMs(Math.min(at, now.validTo ?? at));
      for (const course of courses) {
        if (isPaused || isWaiting(course, movedAt) || (course.breaker.state === 'closed' && now.weights[course.variant] === 0)) continue;
        const finding = course.breaker.state === 'open' ? undefined : await look.findingOf(course.variant, {phase: now.phase, at, since: course.since});
        const step = advanceBreaker(course.breaker, {guard, finding, now: movedAt});
        if (step.action !== null) move(course, {step, finding, at: movedAt, ended});
        isPaused = isPaused || (step.action === 'open' && guard.action === 'pause');
      }
    }
  }
  for (const course of courses) if (course.episode !== null) finish(course, {at: to, resolvedAt: null, ended});
  return episodesOf(span, guard, ended);
}

const firstAfter = (time: EpochMs, stepMs: number): EpochMs => epochMs((Math.floor(time / stepMs) + 1) * stepMs);

const isWaiting = ({breaker}: Course, at: EpochMs): boolean => breaker.state === 'open' && at < breaker.retryAt;

/**
 * A look at the end of a slice is at the slice before it, and at every phase that was in it: where the guard
 * was on, it ended the phase it fired in before its slice was over.
 */
const phasesIn = ({phases}: ExperimentView, {from, to}: {readonly from: number; readonly to: EpochMs}): PhaseSpan[] =>
  phases.filter(({validFrom, validTo}) => validFrom < to && (validTo === null || validTo > from));

/** Phases that no guard began: a person has decided since, and the breaker forgets. */
function decidedPhases(history: readonly StoredVersion[]): ReadonlySet<number> {
  const starts = history.filter((version, index) => version.phase !== history[index - 1]?.phase);
  return new Set(starts.filter(version => evidenceOf(version) === undefined).map(({phase}) => phase));
}

type Moved = {readonly step: Exclude<ReturnType<typeof advanceBreaker>, {action: null}>; readonly finding: Finding | undefined; readonly at: EpochMs; readonly ended: Closed[]};

function move(course: Course, {step, finding, at, ended}: Moved): void {
  course.since = at;
  if (step.action === 'open') {
    course.breaker = {state: 'open', trips: step.trips, retryAt: step.retryAt, weight: 0};
    if (course.episode !== null) course.episode.cutFrom = at;
    else if (finding !== undefined) course.episode = {finding, at, stretches: [], cutFrom: at};
  } else if (step.action === 'half_open') {
    course.breaker = {state: 'half_open', trips: step.trips, since: at, weight: 0};
    endStretch(course.episode, at);
  } else finish(course, {at, resolvedAt: at, ended});
}

function forget(course: Course, {at, ended}: {readonly at: EpochMs; readonly ended: Closed[]}): void {
  if (course.episode !== null) finish(course, {at, resolvedAt: at, ended});
  course.since = Number.NEGATIVE_INFINITY;
}

function finish(course: Course, {at, resolvedAt, ended}: {readonly at: EpochMs; readonly resolvedAt: EpochMs | null; readonly ended: Closed[]}): void {
  endStretch(course.episode, at);
  if (course.episode !== null) ended.push({course, opened: course.episode, resolvedAt});
  course.episode = null;
  course.breaker = {state: 'closed'};
}

function endStretch(opened: Opened | null, to: EpochMs): void {
  if (opened === null || opened.cutFrom === null) return;
  if (opened.cutFrom < to) opened.stretches.push({from: opened.cutFrom, to});
  opened.cutFrom = null;
}

async function episodesOf({warehouse, view, index}: GuardSpan, guard: Guard, ended: readonly Closed[]): Promise<Episode[]> {
  const iso = (at: EpochMs | null): string | null => (at === null ? null : new Date(at).toISOString());
  const metrics = guard.kind === 'drift' ? view.definition.metrics.filter(({measure}) => measure === guard.metric).map(({key}) => key) : metricsOf(view.definition, guard);
  const episodes: Episode[] = [];
  for (const {course: {variant}, opened: {finding, at, stretches}, resolvedAt} of ended) {
    episodes.push({
      rule: ruleNameOf(view, guard, index),
      experiment: view.experiment,
      variant,
      action: guard.action,
      window_start: iso(finding.windowStart),
      fired_at: new Date(at).toISOString(),
      resolved_at: iso(resolvedAt),
      value: finding.value,
      threshold: finding.threshold,
      n: finding.n,
      reason: finding.reason,
      prevented: await preventedIn({warehouse, view, variant, metrics, stretches}),
    });
  }
  return episodes.sort((a, b) => (a.fired_at < b.fired_at ? -1 : a.fired_at > b.fired_at ? 1 : 0));
}
