import {canonicalJson} from '../core/canonical-json.ts';
import type {Clock} from '../core/clock.ts';
import {AssayError} from '../core/errors.ts';
import type {ExperimentView, PhaseSpan} from '../core/experiment.ts';
import {epochMs} from '../core/units.ts';
import type {Verdict} from '../core/verdict.ts';
import type {AnalysisStore, ClosingStore, VerdictStore} from '../warehouse/warehouse.ts';
import {definitionDigest, storedPhases} from './analysis-evidence.ts';
import {analyzeExperiment} from './analyze-experiment.ts';
import {type Difference, differencesOf, evidenceOf, type Precision} from './compare-evidence.ts';

export type ReplayRequest = {
  readonly warehouse: AnalysisStore & Pick<VerdictStore, 'verdict' | 'latestVerdicts'> & Pick<ClosingStore, 'ledger'>;
  readonly clock: Clock;
  readonly versions: Verdict['versions'];
  readonly verdictId: string;
  /** The definition of one version and the phases known; null when the version is not there. */
  readonly viewOf: (of: {
    readonly stream: string;
    readonly experiment: string;
    readonly version: number;
  }) => ExperimentView | null | Promise<ExperimentView | null>;
};

/**
 * Why a replay gives another answer:
 * - `config`     the definition or the phases are not those of the verdict;
 * - `forgotten`  units of the event set were forgotten since (unverifiable, not a mismatch);
 * - `events`     the facts under the cut are not those of the verdict;
 * - `code`       the numbers agree with these facts under another version of Assay, Node or the engine only.
 */
export type ReplayReason = 'config' | 'forgotten' | 'events' | 'code';

export type ReplayResult = {
  readonly verdictId: string;
  readonly identical: boolean;
  /** Bytes under the same versions, otherwise 12 digits. */
  readonly precision: Precision;
  readonly differences: readonly Difference[];
  readonly reason: ReplayReason | null;
  readonly storedDigest: string;
  /** Null when the row could not be recomputed at all. */
  readonly recomputed: Verdict | null;
};

/**
 * Recomputes a stored verdict from facts under its own cut, config version and
 * phase, and compares the evidence (DESIGN §6). The audit state of then cannot be
 * recomputed and is taken from the row.
 * @throws AssayError ASSAY_NOT_FOUND for an unknown verdict.
 */
export async function replayVerdict(request: ReplayRequest): Promise<ReplayResult> {
  const {warehouse, verdictId, versions} = request;
  const stored = await warehouse.verdict(verdictId);
  if (stored === null) throw new AssayError('ASSAY_NOT_FOUND', `there is no verdict ${verdictId}; v_verdicts_all lists them: assay query "SELECT verdict_id, experiment, metric FROM v_verdicts_all"`);
  const precision: Precision = canonicalJson(stored.versions) === canonicalJson(versions) ? 'bytes' : 'digits';
  const found = await request.viewOf({stream: stored.stream, experiment: stored.experiment, version: stored.config_version});
  const about = {verdictId, precision, storedDigest: stored.evidence_digest};
  if (found === null) {
    const differences = [{path: 'config_version', stored: stored.config_version, recomputed: null}];
    return {...about, identical: false, differences, reason: 'config', recomputed: null};
  }
  const configDifferences = configDifferencesOf(stored, found);
  const recomputed = await recompute(stored, found, request);
  if (recomputed === null) {
    const differences = [...configDifferences, {path: 'metric', stored: `${stored.metric} × ${stored.variant}`, recomputed: null}];
    return {...about, identical: false, differences, reason: 'config', recomputed};
  }
  const known = new Set(configDifferences.map(({path}) => path));
  const others = evidenceDifferences(stored, recomputed, precision).filter(({path}) => !known.has(path));
  const differences = [...configDifferences, ...others];
  const isForgotten = differences.length > 0 && (await hasForgotten(request.warehouse, stored));
  const reason = reasonOf(differences, {hasOtherConfig: configDifferences.length > 0, isForgotten, precision});
  return {...about, identical: differences.length === 0, differences, reason, recomputed};
}

/** The digest is checked too: a row whose evidence was edited by hand no longer matches it. */
function evidenceDifferences(stored: Verdict, recomputed: Verdict, precision: Precision): Difference[] {
  const [left, right] = [evidenceOf(stored), evidenceOf(recomputed)];
  if (precision === 'digits') return differencesOf({...left, versions: null}, {...right, versions: null}, precision);
  return [
    ...differencesOf(left, right, precision),
    ...differencesOf({evidence_digest: stored.evidence_digest}, {evidence_digest: recomputed.evidence_digest}, precision),
  ];
}

async function recompute(stored: Verdict, found: ExperimentView, request: ReplayRequest): Promise<Verdict | null> {
  // Phases that began since do not belong to the verdict's cut.
  const view = {...found, phases: storedPhases(stored.analysis) ?? found.phases};
  const rows = await analyzeExperiment({
    warehouse: request.warehouse,
    clock: request.clock,
    versions: request.versions,
    stream: stored.stream,
    view,
    cut: epochMs(stored.cut.arrival_ts),
    phase: stored.phase,
    audit: stored.audit,
  });
  return rows.find(row => row.metric === stored.metric && row.variant === stored.variant) ?? null;
}

/** The definition itself, and the phases of then as they are known now. */
function configDifferencesOf(stored: Verdict, found: ExperimentView): Difference[] {
  const digest = definitionDigest(found.definition);
  const differences: Difference[] = [];
  if (found.version !== stored.config_version) {
    differences.push({path: 'config_version', stored: stored.config_version, recomputed: found.version});
  }
  if (stored.analysis['definition_digest'] !== digest) {
    differences.push({path: 'analysis.definition_digest', stored: stored.analysis['definition_digest'], recomputed: digest});
  }
  for (const span of storedPhases(stored.analysis) ?? []) {
    const now = found.phases.find(phase => phase.phase === span.phase);
    if (canonicalJson(startOf(span)) === canonicalJson(startOf(now))) continue;
    differences.push({path: `analysis.phases[phase=${span.phase}]`, stored: startOf(span), recomputed: startOf(now)});
  }
  return differences;
}

/** A phase that was open then may have ended since; its start and weights never change. */
function startOf(span: PhaseSpan | undefined): unknown {
  return span === undefined ? null : {valid_from: span.validFrom, weights: span.weights};
}

/** Whether units were forgotten within the offsets the verdict covers. */
async function hasForgotten(warehouse: Pick<ClosingStore, 'ledger'>, stored: Verdict): Promise<boolean> {
  const committed = stored.offsets.map(({log_epoch, partition, to}) => ({logEpoch: log_epoch, partition, offset: BigInt(to)}));
  const books = await warehouse.ledger(stored.stream, committed);
  return books.some(partition => partition.forgotten > 0);
}

type Cause = {readonly hasOtherConfig: boolean; readonly isForgotten: boolean; readonly precision: Precision};

function reasonOf(differences: readonly Difference[], {hasOtherConfig, isForgotten, precision}: Cause): ReplayReason | null {
  if (differences.length === 0) return null;
  if (hasOtherConfig) return 'config';
  const hasOtherEvents = differences.some(({path}) => EVENT_PATHS.test(path));
  if (isForgotten) return 'forgotten';
  // Same versions, same config, other numbers: only the facts are left to differ.
  return hasOtherEvents || precision === 'bytes' ? 'events' : 'code';
}

/** Counts and bounds that follow from the event set alone, whatever code computes them. */
const EVENT_PATHS =
  /^(offsets|n_control$|n_variant$|pairs$|data_from$|data_to$|outcomes_|arms\[\d+\]\.(units|outcomes|estimated_units|estimated_outcomes)$|health\.(srm\.observed|crossovers\.units|missing_outcomes\.by_variant))/;
