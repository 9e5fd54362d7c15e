import type {ExperimentView, Metric, PhaseSpan} from '../core/experiment.ts';
import type {EpochMs} from '../core/units.ts';
import type {CachedExposure} from './exposure-cache.ts';
import type {MetricPlan} from './metric-plan.ts';
import type {SlicedOutcome} from './sliced-outcome.ts';

/** Where an outcome counts in one experiment. */
export type Attribution = {
  readonly view: ExperimentView;
  readonly phase: number;
  readonly variant: string;
  /** Start of the next phase: a metric counts until then + its attribution time. */
  readonly phaseEnd: EpochMs | null;
  /** Where the list of measures that came last holds what the experiment's metrics count. */
  plan: MetricPlan | undefined;
};

export type AttributionResult = {
  readonly attributions: readonly Attribution[];
  /** The unit was not looked up: a hint stood in for its exposure. */
  readonly isUnjoined: boolean;
};

/** Ten thousand experiments with some variants each; a hint that comes rarely is a new object each time. */
const HINTS_MAX = 65_536;

type Hint = SlicedOutcome['variantHint'];
type HintedArm = {readonly view: ExperimentView; readonly variant: string};

/** What a hint says under these views. */
type KnownHint = AttributionResult & {
  readonly hint: Hint;
  readonly arms: readonly HintedArm[];
  /** It names the one arm of a pair in a phase without an end: what every outcome from then on gets is said here. Otherwise never. */
  readonly saysFrom: number;
};

const NEVER = {saysFrom: Number.POSITIVE_INFINITY, attributions: [], isUnjoined: false};

/** Attributes outcomes under one state of the experiments, and remembers what the hints say under it. */
export class Attributor {
  /** Whether outcomes have to be joined with exposures at all. */
  readonly hasSplit: boolean;
  readonly #given: readonly ExperimentView[];
  readonly #views: ReadonlyMap<string, ExperimentView>;
  readonly #known = new Map<Hint, KnownHint>();
  /** Those with a place, which others take as well. */
  readonly #knownAt: (KnownHint | undefined)[] = [];

  constructor(views: readonly ExperimentView[]) {
    this.#given = views;
    this.#views = new Map(views.map(view => [view.experiment, view]));
    this.hasSplit = views.some(({definition}) => definition.design === 'split');
  }

  /** Whether it was made for just these. */
  isFor(views: readonly ExperimentView[]): boolean {
    if (views.length !== this.#given.length) return false;
    for (let index = 0; index < views.length; index++) if (views[index] !== this.#given[index]) return false;
    return true;
  }

  /**
   * DESIGN C2 for provisional slices, from a unit's cached exposures. `undefined`
   * exposures mean that nobody looked: then the caller's hint is believed for now.
   */
  attribute(
    {variantHint, hintPlace, eventTs}: Pick<SlicedOutcome, 'variantHint' | 'hintPlace' | 'eventTs'>,
    exposures: readonly CachedExposure[] | undefined,
  ): AttributionResult {
    const known = this.#knownOf(variantHint, hintPlace);
    const isWithout = exposures !== undefined && exposures.length === 0;
    if (eventTs >= known.saysFrom && isWithout) return known;
    const attributions: Attribution[] = [];
    for (const {view, variant} of known.arms) {
      if (view.definition.design === 'split' && exposures !== undefined) continue;
      const span = phaseAt(view.phases, eventTs);
      // A pair's phase ends with the next one; a hint in a split stands for an exposure, so it does too.
      if (span !== undefined) attributions.push({view, phase: span.phase, variant, phaseEnd: null, plan: undefined});
    }
    if (exposures === undefined || isWithout) return {attributions, isUnjoined: exposures === undefined};
    for (const entry of highestPhases(exposures, eventTs)) {
      const view = this.#views.get(entry.experiment);
      if (view === undefined || view.definition.design !== 'split' || entry.isCrossover) continue;
      const {phase, variant} = entry;
      attributions.push({view, phase, variant, phaseEnd: nextPhaseStart(view.phases, phase), plan: undefined});
    }
    return {attributions, isUnjoined: false};
  }

  /** By its place that is an element of an array; by the object alone, a search in a table. */
  #knownOf(hint: Hint, place: number): KnownHint {
    if (place < 0) return this.#known.get(hint) ?? this.#learn(hint);
    const last = this.#knownAt[place];
    if (last?.hint === hint) return last;
    const learnt = this.#read(hint);
    for (let next = this.#knownAt.length; next < place; next++) this.#knownAt.push(undefined);
    this.#knownAt[place] = learnt;
    return learnt;
  }

  #learn(hint: Hint): KnownHint {
    const known = this.#read(hint);
    if (this.#known.size >= HINTS_MAX) this.#known.clear();
    this.#known.set(hint, known);
    return known;
  }

  #read(hint: Hint): KnownHint {
    const arms: HintedArm[] = [];
    for (const [experiment, variant] of Object.entries(hint)) {
      const view = this.#views.get(experiment);
      if (view !== undefined && hasVariant(view, variant)) arms.push({view, variant});
    }
    return {hint, arms, ...constantOf(arms)};
  }
}

/** The attributor of before for as long as nothing changed. */
export class Attributors {
  #last = new Attributor([]);

  of(views: readonly ExperimentView[]): Attributor {
    if (!this.#last.isFor(views)) this.#last = new Attributor(views);
    return this.#last;
  }
}

function constantOf(arms: readonly HintedArm[]): Omit<KnownHint, 'arms' | 'hint'> {
  const [only] = arms;
  if (arms.length !== 1 || only === undefined || only.view.definition.design === 'split') return NEVER;
  const {view, variant} = only;
  const [span] = view.phases;
  if (view.phases.length !== 1 || span === undefined || span.validTo !== null) return NEVER;
  const attribution = {view, phase: span.phase, variant, phaseEnd: null, plan: undefined};
  return {saysFrom: span.validFrom, attributions: [attribution], isUnjoined: false};
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
