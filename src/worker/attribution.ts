import type {ExperimentView, Metric, PhaseSpan} from '../core/experiment.ts';
import type {EpochMs} from '../core/units.ts';
import type {SlicedOutcome} from './event-codec.ts';
import type {CachedExposure} from './exposure-cache.ts';

/** Where an outcome counts in one experiment. */
export type Attribution = {
  readonly view: ExperimentView;
  readonly phase: number;
  readonly variant: string;
  /** Start of the next phase: a metric counts until then + its attribution time. */
  readonly phaseEnd: EpochMs | null;
};

export type AttributionResult = {
  readonly attributions: readonly Attribution[];
  /** The unit was not looked up: a hint stood in for its exposure. */
  readonly isUnjoined: boolean;
};

/**
 * DESIGN C2 for provisional slices, from a unit's cached exposures. `undefined`
 * exposures mean that nobody looked: then the caller's hint is believed for now.
 */
export function attribute(
  outcome: SlicedOutcome,
  exposures: readonly CachedExposure[] | undefined,
  views: ReadonlyMap<string, ExperimentView>,
): AttributionResult {
  const attributions: Attribution[] = [];
  for (const experiment in outcome.variantHint) {
    const view = views.get(experiment);
    const variant = outcome.variantHint[experiment];
    if (view === undefined || variant === undefined) continue;
    if (view.definition.design === 'split' && exposures !== undefined) continue;
    if (!hasVariant(view, variant)) continue;
    const span = phaseAt(view.phases, outcome.eventTs);
    // A pair's phase ends with the next one; a hint in a split stands for an exposure, so it does too.
    if (span !== undefined) attributions.push({view, phase: span.phase, variant, phaseEnd: null});
  }
  if (exposures === undefined || exposures.length === 0) return {attributions, isUnjoined: exposures === undefined};
  for (const entry of highestPhases(exposures, outcome.eventTs)) {
    const view = views.get(entry.experiment);
    if (view === undefined || view.definition.design !== 'split' || entry.isCrossover) continue;
    const {phase, variant} = entry;
    attributions.push({view, phase, variant, phaseEnd: nextPhaseStart(view.phases, phase)});
  }
  return {attributions, isUnjoined: false};
}

/** Whether the metric still counts an outcome of this time. */
export function isWithinAttribution(attribution: Attribution, metric: Metric, eventTs: EpochMs): boolean {
  return attribution.phaseEnd === null || eventTs < attribution.phaseEnd + metric.attributionMs;
}

/** Per experiment the entry of the highest phase whose first exposure is not later than `at`. */
function highestPhases(exposures: readonly CachedExposure[], at: EpochMs): readonly CachedExposure[] {
  const [only] = exposures;
  if (exposures.length === 1 && only !== undefined) return only.eventTs <= at ? exposures : [];
  const highest = new Map<string, CachedExposure>();
  for (const entry of exposures) {
    if (entry.eventTs > at) continue;
    const known = highest.get(entry.experiment);
    if (known === undefined || entry.phase > known.phase) highest.set(entry.experiment, entry);
  }
  return [...highest.values()];
}

/** The phase valid at `at`: the newest that began. */
function phaseAt(phases: readonly PhaseSpan[], at: EpochMs): PhaseSpan | undefined {
  for (let index = phases.length - 1; index >= 0; index--) {
    const span = phases[index] as PhaseSpan;
    if (span.validFrom <= at && (span.validTo === null || at < span.validTo)) return span;
  }
  return undefined;
}

function hasVariant({definition}: ExperimentView, variant: string): boolean {
  for (const {key} of definition.variants) if (key === variant) return true;
  return false;
}

function nextPhaseStart(phases: readonly PhaseSpan[], phase: number): EpochMs | null {
  for (const span of phases) if (span.phase === phase) return span.validTo;
  return null;
}
