import {AssayError} from '../core/errors.ts';
import type {ExperimentDefinition, ExperimentView} from '../core/experiment.ts';
import type {Logger, Metrics} from '../core/telemetry.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import {canaryPlanOf} from '../experiment/canary-plan.ts';
import type {ExperimentRegistry} from '../experiment/registry.ts';
import {currentVersions, historyOf, type StoredVersion, viewOf} from '../experiment/state.ts';
import type {GuardAsk, GuardStore, OutboxStore, ReadStore, VerdictStore, WindowRow} from '../warehouse/warehouse.ts';
import {evaluateRule, type Finding} from './evaluate.ts';
import {evidenceText, GUARD_AUTHOR, type GuardEvidence} from './guard-evidence.ts';
import type {Rule} from './rules.ts';

export type GuardPorts = {
  readonly warehouse: Pick<GuardStore, 'guardWindows'> & Pick<VerdictStore, 'latestVerdicts'> & Pick<ReadStore, 'query'> & Pick<OutboxStore, 'latestAlerts' | 'insertAlerts'>;
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

/** What a guard wants done. */
export type Act = {readonly definition: ExperimentDefinition; readonly evidence: GuardEvidence; readonly finding?: Finding | undefined};

/** Everything one experiment's guards look at. */
export type Look = {
  readonly view: ExperimentView;
  readonly history: readonly StoredVersion[];
  readonly current: StoredVersion;
  readonly request: GuardRequest;
};

/** Every running experiment of the stream that has guards or a canary. */
export function looksOf({registry}: GuardPorts, request: GuardRequest): Look[] {
  const state = registry.snapshot();
  return currentVersions(state, request.stream).flatMap((current): Look[] => {
    const {definition, experiment} = current;
    const isGuarded = definition.guards.some(({action}) => action !== 'alert') || canaryPlanOf(definition) !== undefined;
    if (!isGuarded || definition.lifecycle !== 'running' || !definition.hasWeights) return [];
    const view = viewOf(state, {stream: request.stream, experiment});
    return view === undefined ? [] : [{view, current, request, history: historyOf(state, request.stream, experiment)}];
  });
}

/** Whoever changed the experiment meanwhile wins; the next look starts from what he made. */
export async function publishAct({registry, logger, metrics}: GuardPorts, {current, request}: Look, {definition, evidence}: Act): Promise<GuardActed[]> {
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
    return [{version, evidence}];
  } catch (error) {
    if (!(error instanceof AssayError) || error.code !== 'ASSAY_EXPERIMENT_CONFLICT') throw error;
    logger.info('guard was overtaken', {experiment: current.experiment, action: evidence.action});
    return [];
  }
}

/** End of the slice that still fills. */
export const openEnd = ({now, sliceMs}: GuardRequest): EpochMs => epochMs((Math.floor(now / sliceMs) + 1) * sliceMs);

/** A pipeline that lags by up to this is still judged, by the newest windows that have come through. */
export const LAG_MS_MAX = 60_000;

/** The windows of the present phase that a guard asks for. */
export function askFor({current, request}: Look, {sizeMs, metrics, earlierMs = 0}: {readonly sizeMs: number; readonly metrics: readonly string[]; readonly earlierMs?: number}): GuardAsk {
  return {experiment: current.experiment, phase: current.phase, sizeMs, metrics, ends: endsOf({at: openEnd(request), sizeMs, sliceMs: request.sliceMs, earlierMs})};
}

/**
 * Ends of the windows that a look at `at` is made from: the newest, which holds the
 * slice that still fills, and earlier ones in steps of half a window, because outcomes
 * that are on their way (a slow warehouse, a rebalance) are missing in the newest.
 */
export function endsOf({at, sizeMs, sliceMs, earlierMs}: {readonly at: EpochMs; readonly sizeMs: number; readonly sliceMs: number; readonly earlierMs: number}): EpochMs[] {
  const half = sizeMs / 2;
  const stepMs = half % sliceMs === 0 ? half : sizeMs;
  const ends: EpochMs[] = [];
  for (let end: number = at; end > 0 && end >= at - Math.max(LAG_MS_MAX, earlierMs); end -= stepMs) ends.push(epochMs(end));
  return ends;
}

/**
 * What a rule says about a variant: by the newest window that has the rule's minimum of
 * outcomes. One that ended earlier was looked at when it was the newest, unless its
 * outcomes came later, so this finds nothing that punctual data would not have shown.
 */
export function judge(rule: Rule, rows: readonly WindowRow[], at: EpochMs): Finding | undefined {
  const newestFirst = rows
    .filter(row => row.metric === rule.metric && row.window_end - row.window_start === rule.windowMs && rule.variants?.includes(row.variant))
    .sort((a, b) => b.window_end - a.window_end);
  const row = newestFirst.find(({n, window_end: end}) => n >= rule.minN && end >= at - LAG_MS_MAX) ?? newestFirst[0];
  const [finding] = evaluateRule(rule, row === undefined ? {at, windows: [], verdicts: []} : {at: row.window_end, windows: [row], verdicts: []});
  return finding;
}

export type EvidenceOf = {
  readonly look: Look;
  readonly guard: string;
  readonly action: GuardEvidence['action'];
  readonly variant: string;
  readonly finding: Finding | undefined;
  readonly windowMs: number;
  readonly reason?: string;
};

export function makeEvidence({look, guard, action, variant, finding, windowMs, reason}: EvidenceOf): GuardEvidence {
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
