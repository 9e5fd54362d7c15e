import type {Clock} from '../core/clock.ts';
import type {ExperimentView} from '../core/experiment.ts';
import type {EpochMs} from '../core/units.ts';
import type {Calibration, Verdict} from '../core/verdict.ts';
import type {AnalysisStore, VerdictStore} from '../warehouse/warehouse.ts';
import {buildVerdicts} from './build-verdicts.ts';
import {CALIBRATION_LASTS_MS} from './calibrate.ts';
import {loadInputs} from './load-inputs.ts';

export type AnalyzeRequest = {
  readonly warehouse: AnalysisStore & Pick<VerdictStore, 'latestVerdicts'>;
  readonly clock: Clock;
  readonly versions: Verdict['versions'];
  readonly stream: string;
  readonly view: ExperimentView;
  /** Facts with arrival_ts ≤ cut count: strictly below the minimum progress, chosen by the caller (DESIGN C5). */
  readonly cut: EpochMs;
  /** The newest with data unless given. */
  readonly phase?: number;
  /** State of the books as the last audit left it; unknown unless given. */
  readonly audit?: Verdict['audit'];
  /** One look of many at a running experiment: what the last one read is not read again. The rows are the same. */
  readonly live?: boolean;
  /** Show the tests' false-positive rate on control beside the rows; made anew once an hour of facts. */
  readonly calibrate?: boolean;
};

export const NOT_AUDITED: Verdict['audit'] = {mismatch: null, slices_checked: 0, checked_at: null};

/**
 * Facts → verdict rows of one experiment in one stream under one cut, one per
 * metric × treatment. Reads only; storing the rows is the caller's step, so the
 * same code replays a verdict.
 */
export async function analyzeExperiment(request: AnalyzeRequest): Promise<Verdict[]> {
  const {warehouse, clock, versions, stream, view, cut, audit = NOT_AUDITED, live = false} = request;
  const phase = request.phase ?? (await warehouse.newestPhase({stream, view, cut})) ?? lastPhase(view);
  const latest = await warehouse.latestVerdicts(stream, view.experiment);
  const previous = new Map(latest.map(verdict => [keyOf(verdict.metric, verdict.variant), verdict.decision]));
  const standing = new Map(latest.filter(verdict => verdict.phase === phase && verdict.config_version === view.version).map(({metric, calibration}) => [metric, calibration]));
  const stands = view.definition.metrics.every(({key}) => isStanding(standing.get(key), cut));
  const isAsked = request.calibrate === true && view.definition.design === 'split';
  const inputs = await loadInputs(warehouse, {stream, view, phase, cut}, {live, calibrate: isAsked && !stands});
  return buildVerdicts(inputs, {
    createdAt: clock.now(),
    versions,
    audit,
    previousDecision: (metric, variant) => previous.get(keyOf(metric, variant)) ?? null,
    calibration: metric => (isAsked ? (standing.get(metric) ?? null) : null),
  });
}

function isStanding(calibration: Calibration | undefined, cut: EpochMs): boolean {
  return calibration !== undefined && cut >= calibration.cut_ms && cut < calibration.cut_ms + CALIBRATION_LASTS_MS;
}

function keyOf(metric: string, variant: string): string {
  return JSON.stringify([metric, variant]);
}

/** Without data the rows say so about the newest phase. */
function lastPhase(view: ExperimentView): number {
  return Math.max(0, ...view.phases.map(span => span.phase));
}
