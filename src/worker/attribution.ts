import type {ExperimentView, Metric, PhaseSpan} from '../core/experiment.ts';
import type {EpochMs} from '../core/units.ts';
import type {CachedExposure} from './exposure-cache.ts';
import type {SlicedOutcome} from './sliced-outcome.ts';

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

type Hint = SlicedOutcome['variantHint'];
type HintedArm = {readonly view: ExperimentView; readonly variant: string};

/** What a hint says under these views. */
type KnownHint = {
  readonly arms: readonly HintedArm[];
  /** Of the one arm of a pair in a phase without an end, what every outcome from `validFrom` on gets. */
  readonly constant: {readonly validFrom: EpochMs; readonly result: AttributionResult} | undefined;
};

/** Attributes outcomes under one state of the experiments. Not kept beyond a flush: it remembers the hints it saw. */
export class Attributor {
  readonly #views: ReadonlyMap<string, ExperimentView>;
  readonly #known = new Map<Hint, KnownHint>();

  constructor(views: ReadonlyMap<string, ExperimentView>) {
    this.#views = views;
  }

  /**
   * DESIGN C2 for provisional slices, from a unit's cached exposures. `undefined`
   * exposures mean that nobody looked: then the caller's hint is believed for now.
   */
  attribute(
    {variantHint, eventTs}: Pick<SlicedOutcome, 'variantHint' | 'eventTs'>,
    exposures: readonly CachedExposure[] | undefined,
  ): AttributionResult {
    const {arms, constant} = this.#known.get(variantHint) ?? this.#learn(variantHint);
    const isWithout = exposures !== undefined && exposures.length === 0;
    if (constant !== undefined && isWithout && eventTs >= constant.validFrom) return constant.result;
    const attributions: Attribution[] = [];
    for (const {view, variant} of arms) {
      if (view.definition.design === 'split' && exposures !== undefined) continue;
      const span = phaseAt(view.phases, eventTs);
      // A pair's phase ends with the next one; a hint in a split stands for an exposure, so it does too.
      if (span !== undefined) attributions.push({view, phase: span.phase, variant, phaseEnd: null});
    }
    if (exposures === undefined || isWithout) return {attributions, isUnjoined: exposures === undefined};
    for (const entry of highestPhases(exposures, eventTs)) {
      const view = this.#views.get(entry.experiment);
      if (view === undefined || view.definition.design !== 'split' || entry.isCrossover) continue;
      const {phase, variant} = entry;
      attributions.push({view, phase, variant, phaseEnd: nextPhaseStart(view.phases, phase)});
    }
    return {attributions, isUnjoined: false};
  }

  #learn(hint: Hint): KnownHint {
    const arms: HintedArm[] = [];
    for (const [experiment, variant] of Object.entries(hint)) {
      const view = this.#views.get(experiment);
      if (view !== undefined && hasVariant(view, variant)) arms.push({view, variant});
    }
    const known = {arms, constant: constantOf(arms)};
    this.#known.set(hint, known);
    return known;
  }
}

function constantOf(arms: readonly HintedArm[]): KnownHint['constant'] {
  const [only] = arms;
  if (arms.length !== 1 || only === undefined || only.view.definition.design === 'split') return undefined;
  const {view, variant} = only;
  const [span] = view.phases;
  if (view.phases.length !== 1 || span === undefined || span.validTo !== null) return undefined;
  const {phase, validFrom} = span;
  return {validFrom, result: {attributions: [{view, phase, variant, phaseEnd: null}], isUnjoined: false}};
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
