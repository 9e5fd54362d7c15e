import {analyzeExperiment} from '../analyze/analyze-experiment.ts';
import {addWindowsAround} from '../analyze/windows-around.ts';
import {type AuditReport, runAudit} from '../closing/audit.ts';
import {committedOffsets} from '../closing/committed-offsets.ts';
import {AssayError} from '../core/errors.ts';
import type {ExperimentView} from '../core/experiment.ts';
import type {Stream} from '../core/streams.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import type {Verdict} from '../core/verdict.ts';
import {historyOf, viewOf} from '../experiment/state.ts';
import {currentViews} from './closing-config.ts';
import type {Platform} from './platform.ts';

/** Slices recomputed by the audit that goes with an analysis; `assay verify --deep` checks all. */
export const AUDIT_SLICES = 200;

/** The newest cut there is: strictly below the minimum progress (DESIGN C5); null while some partition has nothing. */
export async function newestCut({log, warehouse}: Platform, stream: Stream): Promise<EpochMs | null> {
  const arrivals = await warehouse.progress(stream.name, await committedOffsets(log, stream));
  if (arrivals.length === 0 || arrivals.some(arrival => arrival === null)) return null;
  return epochMs(Math.min(...arrivals.map(Number)) - 1);
}

export function auditStream(platform: Platform, stream: Stream, slicesMax: number | null): Promise<AuditReport> {
  const {log, warehouse, closing, logger, metrics} = platform;
  return runAudit({log, warehouse, config: closing, stream, slicesMax, logger, metrics});
}

export const auditState = (report: AuditReport, at: EpochMs): Verdict['audit'] => ({
  mismatch: report.mismatch,
  slices_checked: report.slices_checked,
  checked_at: new Date(at).toISOString(),
});

/**
 * Computes and stores the verdicts of one experiment.
 * @throws AssayError ASSAY_NOT_FOUND naming the experiments there are, or what is missing.
 */
export async function analyzeAndStore(
  platform: Platform,
  request: {readonly stream: Stream; readonly experiment: string; readonly audit?: Verdict['audit']; readonly cut?: EpochMs; /** One look of many: continue from the last. */ readonly live?: boolean},
): Promise<Verdict[]> {
  const {warehouse, registry, clock, versions} = platform;
  const {stream, experiment, audit, live = false} = request;
  const cut = request.cut ?? (await newestCut(platform, stream));
  if (cut === null) {
    throw new AssayError('ASSAY_NOT_FOUND', `stream ${stream.name} has no complete data yet: some partition has nothing durable; is a worker running?`);
  }
  await registry.caughtUp();
  const view = requireView(platform, stream, experiment);
  const startedAt = clock.now();
  const analysed = await analyzeExperiment({warehouse, clock, versions, stream: stream.name, view, cut, live, calibrate: true, ...(audit === undefined ? {} : {audit})});
  const verdicts = await addWindowsAround(analysed, {warehouse, stream, history: historyOf(registry.snapshot(), stream.name, experiment)});
  await warehouse.insertVerdicts(verdicts);
  await platform.factTraces?.analysed({stream, experiment, verdicts, cut, startedAt});
  return verdicts;
}

export function requireView({registry}: Pick<Platform, 'registry'>, stream: Stream, experiment: string): ExperimentView {
  const view = viewOf(registry.snapshot(), {stream: stream.name, experiment});
  if (view !== undefined) return view;
  const names = currentViews(registry, stream.name).map(known => known.experiment);
  throw new AssayError('ASSAY_NOT_FOUND', `stream ${stream.name} has no experiment ${experiment}; ${names.length === 0 ? 'it has none yet' : `it has ${names.join(', ')}`}`);
}
