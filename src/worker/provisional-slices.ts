import {BucketCounts} from '../core/bucket-counts.ts';
import type {ExperimentDefinition, Metric} from '../core/experiment.ts';
import type {ProvisionalSlice} from '../core/slices.ts';
import {type DurationMs, type EpochMs, sliceStartOf} from '../core/units.ts';
import {type Attribution, isWithinAttribution} from './attribution.ts';
import type {SlicedOutcome} from './event-codec.ts';
import {type Contribution, contributionOf} from './metric-contribution.ts';
import {ProvisionalCell} from './provisional-cell.ts';

/** How many keys a worker holds over all its partitions; shared by their `ProvisionalSlices`. */
export type KeyBudget = {readonly keysMax: number; keys: number};

/** One arm (experiment × phase × variant) in one slice; cells by `metric` or `metric NUL dimension NUL value`. */
type Arm = {
  readonly experiment: string;
  readonly phase: number;
  readonly variant: string;
  readonly cells: Map<string, {readonly cell: ProvisionalCell; readonly key: CellKey}>;
  /** The cell of each metric of `definition`, in its order: what nearly every outcome needs, without a look-up by name. */
  definition: ExperimentDefinition | undefined;
  byMetric: (ProvisionalCell | undefined)[];
};

type CellKey = {readonly metric: string; readonly dimension: string; readonly dimensionValue: string};

/** A slice that once turned a key away takes no new ones: half of a key's outcomes would be a wrong number. */
type OpenSlice = {readonly arms: Map<string, Arm[]>; isFull: boolean};

/**
 * The open slices of one partition, cumulative: what is shown until a slice closes.
 * Floating point, from memory, possibly incomplete; closing recomputes from facts.
 *
 *     slice start ─► experiment × phase × variant ─► metric (× dimension value) ─► cell
 */
export class ProvisionalSlices {
  readonly #sliceMs: DurationMs;
  readonly #budget: KeyBudget;
  readonly #open = new Map<EpochMs, OpenSlice>();

  constructor(sliceMs: DurationMs, budget: KeyBudget) {
    this.#sliceMs = sliceMs;
    this.#budget = budget;
  }

  /** @returns contributions turned away because the worker holds too many keys. */
  add(outcome: SlicedOutcome, attributions: readonly Attribution[]): number {
    if (attributions.length === 0) return 0;
    const slice = this.#sliceAt(sliceStartOf(outcome.eventTs, this.#sliceMs));
    let refused = 0;
    for (const attribution of attributions) {
      const {definition, experiment} = attribution.view;
      const arm = armOf(slice, experiment, attribution);
      if (arm.definition !== definition) {
        arm.definition = definition;
        arm.byMetric = definition.metrics.map(() => undefined);
      }
      for (let index = 0; index < definition.metrics.length; index++) {
        const metric = definition.metrics[index] as Metric;
        if (!isWithinAttribution(attribution, metric, outcome.eventTs)) continue;
        const contribution = contributionOf(metric, outcome);
        if (contribution === undefined) continue;
        let cell = arm.byMetric[index];
        if (cell === undefined) {
          cell = this.#cellOf(slice, arm, {metric: metric.key, dimension: '', dimensionValue: ''});
          arm.byMetric[index] = cell;
        }
        if (cell === undefined) refused++;
        else cell.add(contribution);
        if (metric.dimensions.length > 0) refused += this.#addParts(slice, arm, {metric, contribution, outcome});
      }
    }
    return refused;
  }

  /** The cells of the outcome's dimension values. @returns those turned away */
  #addParts(
    slice: OpenSlice,
    arm: Arm,
    {metric, contribution, outcome}: {readonly metric: Metric; readonly contribution: Contribution; readonly outcome: SlicedOutcome},
  ): number {
    let refused = 0;
    for (const dimension of metric.dimensions) {
      const dimensionValue = outcome.attributes[dimension];
      if (dimensionValue === undefined) continue;
      const part = this.#cellOf(slice, arm, {metric: metric.key, dimension, dimensionValue});
      if (part === undefined) refused++;
      else part.add(contribution);
    }
    return refused;
  }

  /** Takes over what was rebuilt from facts beside it. `other` is not to be used afterwards. */
  absorb(other: ProvisionalSlices): void {
    for (const [sliceStart, slice] of other.#open) {
      const mine = this.#sliceAt(sliceStart);
      mine.isFull ||= slice.isFull;
      for (const arm of armsOf(slice)) {
        const myArm = armOf(mine, arm.experiment, arm);
        for (const [name, {cell, key}] of arm.cells) {
          const known = myArm.cells.get(name);
          if (known === undefined) myArm.cells.set(name, {cell, key});
          else {
            known.cell.merge(cell);
            this.#budget.keys--;
          }
        }
      }
    }
    other.#open.clear();
  }

  /** Copies of the slices that changed since `settle`, as of `lastOffset`. */
  changed(at: {readonly logEpoch: number; readonly partition: number; readonly lastOffset: bigint}): ProvisionalSlice[] {
    const {logEpoch, partition, lastOffset} = at;
    const slices: ProvisionalSlice[] = [];
    for (const [sliceStart, slice] of this.#open) {
      for (const {experiment, phase, variant, cells} of armsOf(slice)) {
        for (const {cell, key} of cells.values()) {
          if (!cell.isChanged) continue;
          const {metric, dimension, dimensionValue} = key;
          const {n, sum, m2, min, max, denominatorSum} = cell;
          const histogram = new BucketCounts(cell.histogram);
          // Written out: spreading the keys in made this the dearest function of a worker that catches up.
          slices.push({
            logEpoch, partition, lastOffset, experiment, phase, variant, metric, dimension, dimensionValue, sliceStart,
            n, sum, m2, min, max, denominatorSum, histogram,
          });
        }
      }
    }
    return slices;
  }

  /** What `changed` gave is stored. */
  settle(): void {
    for (const slice of this.#open.values()) {
      for (const {cells} of armsOf(slice)) for (const {cell} of cells.values()) cell.isChanged = false;
    }
  }

  /** Forgets slices that end before `end`: they are closed, or will be from facts any moment. */
  dropEndingBefore(end: EpochMs): void {
    for (const [sliceStart, slice] of this.#open) {
      if (sliceStart + this.#sliceMs >= end) continue;
      for (const {cells} of armsOf(slice)) this.#budget.keys -= cells.size;
      this.#open.delete(sliceStart);
    }
  }

  /** Gives all keys back to the budget. */
  clear(): void {
    this.dropEndingBefore(Number.POSITIVE_INFINITY as EpochMs);
  }

  #sliceAt(sliceStart: EpochMs): OpenSlice {
    const known = this.#open.get(sliceStart);
    if (known !== undefined) return known;
    const slice = {arms: new Map(), isFull: false};
    this.#open.set(sliceStart, slice);
    return slice;
  }

  #cellOf(slice: OpenSlice, arm: Arm, key: CellKey): ProvisionalCell | undefined {
    const name = key.dimension === '' ? key.metric : `${key.metric}\0${key.dimension}\0${key.dimensionValue}`;
    const known = arm.cells.get(name);
    if (known !== undefined) return known.cell;
    if (slice.isFull || this.#budget.keys >= this.#budget.keysMax) {
      slice.isFull = true;
      return undefined;
    }
    this.#budget.keys++;
    const cell = new ProvisionalCell();
    arm.cells.set(name, {cell, key});
    return cell;
  }
}

function* armsOf(slice: OpenSlice): Generator<Arm> {
  for (const arms of slice.arms.values()) yield* arms;
}

function armOf(slice: OpenSlice, experiment: string, {phase, variant}: {readonly phase: number; readonly variant: string}): Arm {
  let arms = slice.arms.get(experiment);
  if (arms === undefined) {
    arms = [];
    slice.arms.set(experiment, arms);
  }
  for (const arm of arms) if (arm.phase === phase && arm.variant === variant) return arm;
  const made: Arm = {experiment, phase, variant, cells: new Map(), definition: undefined, byMetric: []};
  arms.push(made);
  return made;
}
