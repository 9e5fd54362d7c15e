import type {Outcome} from '../core/events.ts';
import type {ProvisionalSlice} from '../core/slices.ts';
import {type DurationMs, type EpochMs, sliceStartOf} from '../core/units.ts';
import {type Attribution, isWithinAttribution} from './attribution.ts';
import {contributionOf} from './metric-contribution.ts';
import {ProvisionalCell} from './provisional-cell.ts';

/** How many keys a worker holds over all its partitions; shared by their `ProvisionalSlices`. */
export type KeyBudget = {readonly keysMax: number; keys: number};

/** One arm (experiment × phase × variant) in one slice; cells by `metric` or `metric NUL dimension NUL value`. */
type Arm = {
  readonly experiment: string;
  readonly phase: number;
  readonly variant: string;
  readonly cells: Map<string, {readonly cell: ProvisionalCell; readonly key: CellKey}>;
};

type CellKey = {readonly metric: string; readonly dimension: string; readonly dimensionValue: string};

/** A slice that once turned a key away takes no new ones: half of a key's outcomes would be a wrong number. */
type OpenSlice = {readonly arms: Map<string, Arm>; isFull: boolean};

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
  add(outcome: Outcome, attributions: readonly Attribution[]): number {
    const sliceStart = sliceStartOf(outcome.eventTs, this.#sliceMs);
    let refused = 0;
    for (const attribution of attributions) {
      const slice = this.#sliceAt(sliceStart);
      const arm = armOf(slice, attribution);
      for (const metric of attribution.view.definition.metrics) {
        if (!isWithinAttribution(attribution, metric, outcome.eventTs)) continue;
        const contribution = contributionOf(metric, outcome);
        if (contribution === undefined) continue;
        const cell = this.#cellOf(slice, arm, {metric: metric.key, dimension: '', dimensionValue: ''});
        if (cell === undefined) refused++;
        else cell.add(contribution);
        for (const dimension of metric.dimensions) {
          const dimensionValue = outcome.attributes[dimension];
          if (dimensionValue === undefined) continue;
          const part = this.#cellOf(slice, arm, {metric: metric.key, dimension, dimensionValue});
          if (part === undefined) refused++;
          else part.add(contribution);
        }
      }
    }
    return refused;
  }

  /** Takes over what was rebuilt from facts beside it. `other` is not to be used afterwards. */
  absorb(other: ProvisionalSlices): void {
    for (const [sliceStart, slice] of other.#open) {
      const mine = this.#sliceAt(sliceStart);
      mine.isFull ||= slice.isFull;
      for (const arm of slice.arms.values()) {
        const myArm = armOf(mine, arm);
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
    const slices: ProvisionalSlice[] = [];
    for (const [sliceStart, {arms}] of this.#open) {
      for (const {experiment, phase, variant, cells} of arms.values()) {
        for (const {cell, key} of cells.values()) {
          if (!cell.isChanged) continue;
          const {n, sum, m2, min, max, denominatorSum} = cell;
          const histogram = new Map(cell.histogram);
          slices.push({
            ...at, ...key, experiment, phase, variant, sliceStart, n, sum, m2, min, max, denominatorSum, histogram,
          });
        }
      }
    }
    return slices;
  }

  /** What `changed` gave is stored. */
  settle(): void {
    for (const {arms} of this.#open.values()) {
      for (const {cells} of arms.values()) {
        for (const {cell} of cells.values()) cell.isChanged = false;
      }
    }
  }

  /** Forgets slices that end before `end`: they are closed, or will be from facts any moment. */
  dropEndingBefore(end: EpochMs): void {
    for (const [sliceStart, slice] of this.#open) {
      if (sliceStart + this.#sliceMs >= end) continue;
      for (const {cells} of slice.arms.values()) this.#budget.keys -= cells.size;
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

function armOf(slice: OpenSlice, arm: Attribution | Arm): Arm {
  const experiment = 'view' in arm ? arm.view.experiment : arm.experiment;
  const {phase, variant} = arm;
  const name = `${experiment}\0${phase}\0${variant}`;
  const known = slice.arms.get(name);
  if (known !== undefined) return known;
  const made: Arm = {experiment, phase, variant, cells: new Map()};
  slice.arms.set(name, made);
  return made;
}
