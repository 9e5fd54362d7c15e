import type {ExperimentDefinition, Metric} from '../core/experiment.ts';
import type {FactRows} from '../core/facts.ts';
import {WEIGHT_ONE, weightOf} from '../core/sampling.ts';
import type {ProvisionalSlice} from '../core/slices.ts';
import type {DurationMs, EpochMs} from '../core/units.ts';
import {type Attribution, isWithinAttribution} from './attribution.ts';
import {Cells} from './cells.ts';
import {type MetricPlan, metricPlan} from './metric-plan.ts';
import {type ArmKey, type CellKey, ChangedCells, ProvisionalRows, type SlicePosition} from './provisional-rows.ts';
import type {SlicedOutcome} from './sliced-outcome.ts';

/** How many keys a worker holds over all its partitions; shared by their `ProvisionalSlices`. */
export type KeyBudget = {readonly keysMax: number; keys: number};

type Contribution = {readonly value: number; readonly denominator: number; readonly extraWeight: number};
type KeyedCell = {readonly cell: number; readonly key: CellKey};

/** One arm (experiment × phase × variant) in one slice. */
type Arm = ArmKey & {
  definition: ExperimentDefinition;
  /** The cell of each metric of `definition`, in its order; NONE where nothing was counted yet. */
  cells: number[];
  /** Cells by dimension value, and those of metrics that an earlier definition had; by `metric` or `metric NUL dimension NUL value`. */
  others: Map<string, KeyedCell> | undefined;
  isChanged: boolean;
  /** Another phase or variant of the same experiment. */
  readonly next: Arm | undefined;
};

/** A slice that once turned a key away takes no new ones: half of a key's outcomes would be a wrong number. */
type OpenSlice = {readonly start: EpochMs; readonly arms: Map<string, Arm>; isFull: boolean; isChanged: boolean};

const NONE = -1;

/**
 * The open slices of one partition, cumulative: what is shown until a slice closes.
 * Floating point, from memory, possibly incomplete; closing recomputes from facts.
 *
 *     slice ─► experiment × phase × variant ─► metric (× dimension value) ─► cell
 */
export class ProvisionalSlices {
  readonly #sliceMs: DurationMs;
  readonly #budget: KeyBudget;
  readonly #cells = new Cells();
  /** By slice number, start / sliceMs: a small integer where the start is a float. */
  readonly #open = new Map<number, OpenSlice>();
  /** The one of before, which most outcomes belong to as well. */
  #last: OpenSlice | undefined;
  #lastNumber = Number.NaN;

  constructor(sliceMs: DurationMs, budget: KeyBudget) {
    this.#sliceMs = sliceMs;
    this.#budget = budget;
  }

  /** @returns contributions turned away because the worker holds too many keys. */
  add(outcome: SlicedOutcome, attributions: readonly Attribution[]): number {
    if (attributions.length === 0) return 0;
    const slice = this.#sliceAt(Math.floor(outcome.eventTs / this.#sliceMs));
    let refused = 0;
    for (let index = 0; index < attributions.length; index++) refused += this.#addTo(slice, attributions[index] as Attribution, outcome);
    return refused;
  }

  #addTo(slice: OpenSlice, attribution: Attribution, outcome: SlicedOutcome): number {
    const {view, phase, variant} = attribution;
    const {definition, experiment} = view;
    // One that could have no cells is not made either.
    if (slice.isFull && knownArm(slice, experiment, attribution) === undefined) return countOf(attribution, outcome);
    const arm = armOf(slice, {experiment, phase, variant}, definition);
    if (arm.definition !== definition) redefine(arm, definition);
    const plan = planOf(attribution, outcome.measureNames);
    const {cells} = arm;
    const extraWeight = outcome.sampleRate === 1 ? 0 : weightOf(outcome.sampleRate) - WEIGHT_ONE;
    slice.isChanged = true;
    arm.isChanged = true;
    let refused = 0;
    for (let index = 0; index < cells.length; index++) {
      const metric = definition.metrics[index] as Metric;
      const value = plan.value(index, outcome);
      if (Number.isNaN(value) || !isWithinAttribution(attribution, metric, outcome.eventTs)) continue;
      const denominator = plan.denominator(index, outcome);
      if (cells[index] === NONE) cells[index] = this.#openCell(slice);
      if (cells[index] === NONE) refused++;
      else {
        this.#cells.add(cells[index] as number, value, denominator);
        if (extraWeight !== 0) this.#cells.addExtra(cells[index] as number, extraWeight, {value, denominator});
      }
      if (metric.dimensions.length > 0) refused += this.#addParts(slice, arm, {metric, value, denominator, extraWeight, outcome});
    }
    return refused;
  }

  /** The cells of the outcome's dimension values. @returns those turned away */
  #addParts(
    slice: OpenSlice,
    arm: Arm,
    {metric, value, denominator, extraWeight, outcome}: Contribution & {readonly metric: Metric; readonly outcome: SlicedOutcome},
  ): number {
    let refused = 0;
    const {attributes} = outcome;
    for (const dimension of metric.dimensions) {
      const dimensionValue = attributes[dimension];
      if (dimensionValue === undefined) continue;
      const cell = this.#otherCell(slice, arm, {metric: metric.key, dimension, dimensionValue});
      if (cell === NONE) refused++;
      else {
        this.#cells.add(cell, value, denominator);
        if (extraWeight !== 0) this.#cells.addExtra(cell, extraWeight, {value, denominator});
      }
    }
    return refused;
  }

  /** Takes over what was rebuilt from facts beside it. `other` is not to be used afterwards. */
  absorb(other: ProvisionalSlices): void {
    for (const [number, slice] of other.#open) {
      const mine = this.#sliceAt(number);
      mine.isFull ||= slice.isFull;
      mine.isChanged = true;
      for (const arm of armsOf(slice)) {
        const myArm = armOf(mine, arm, arm.definition);
        if (myArm.definition !== arm.definition) redefine(myArm, arm.definition);
        myArm.isChanged = true;
        for (const {cell, key} of keyedCells(arm)) this.#absorbCell(myArm, key, {cells: other.#cells, cell});
      }
    }
    other.#open.clear();
  }

  /** A key that both had is one from now on. */
  #absorbCell(arm: Arm, key: CellKey, {cells, cell}: {readonly cells: Cells; readonly cell: number}): void {
    const index = key.dimension === '' ? arm.definition.metrics.findIndex(metric => metric.key === key.metric) : NONE;
    const known = index === NONE ? arm.others?.get(nameOf(key))?.cell : arm.cells[index];
    let mine = known ?? NONE;
    if (mine === NONE) {
      mine = this.#cells.open();
      if (index === NONE) othersOf(arm).set(nameOf(key), {cell: mine, key});
      else arm.cells[index] = mine;
    } else {
      this.#budget.keys--;
    }
    this.#cells.merge(mine, cells, cell);
  }

  /** Copies of the slices that changed since `settle`, as of `at.lastOffset`. */
  changed(at: SlicePosition): FactRows<ProvisionalSlice> {
    const changed = new ChangedCells();
    for (const slice of this.#open.values()) {
      if (!slice.isChanged) continue;
      for (const arm of armsOf(slice)) {
        if (!arm.isChanged) continue;
        const {cells, definition, others} = arm;
        for (let index = 0; index < cells.length; index++) {
          const cell = cells[index] as number;
          if (cell !== NONE && this.#cells.isChanged(cell)) changed.push(cell, {arm, start: slice.start, key: totalKey(definition.metrics[index] as Metric)});
        }
        if (others === undefined) continue;
        for (const {cell, key} of others.values()) if (this.#cells.isChanged(cell)) changed.push(cell, {arm, start: slice.start, key});
      }
    }
    return new ProvisionalRows(at, this.#cells, changed);
  }

  /** What `changed` gave is stored. */
  settle(): void {
    for (const slice of this.#open.values()) {
      if (!slice.isChanged) continue;
      slice.isChanged = false;
      for (const arm of armsOf(slice)) {
        if (!arm.isChanged) continue;
        arm.isChanged = false;
        visitCells(arm, cell => this.#cells.settle(cell));
      }
    }
  }

  /** Forgets slices that end before `end`: they are closed, or will be from facts any moment. */
  dropEndingBefore(end: EpochMs): void {
    for (const [number, slice] of this.#open) {
      if (slice.start + this.#sliceMs >= end) continue;
      for (const arm of armsOf(slice)) {
        visitCells(arm, cell => {
          this.#cells.close(cell);
          this.#budget.keys--;
        });
      }
      this.#open.delete(number);
    }
    this.#last = undefined;
    this.#lastNumber = Number.NaN;
  }

  /** Gives all keys back to the budget. */
  clear(): void {
    this.dropEndingBefore(Number.POSITIVE_INFINITY as EpochMs);
  }

  #sliceAt(number: number): OpenSlice {
    if (number === this.#lastNumber && this.#last !== undefined) return this.#last;
    let slice = this.#open.get(number);
    if (slice === undefined) {
      slice = {start: (number * this.#sliceMs) as EpochMs, arms: new Map(), isFull: false, isChanged: false};
      this.#open.set(number, slice);
    }
    this.#last = slice;
    this.#lastNumber = number;
    return slice;
  }

  #otherCell(slice: OpenSlice, arm: Arm, key: CellKey): number {
    const others = othersOf(arm);
    const name = nameOf(key);
    const known = others.get(name);
    if (known !== undefined) return known.cell;
    const cell = this.#openCell(slice);
    if (cell !== NONE) others.set(name, {cell, key});
    return cell;
  }

  /** NONE when the slice takes no new key. */
  #openCell(slice: OpenSlice): number {
    if (slice.isFull || this.#budget.keys >= this.#budget.keysMax) {
      slice.isFull = true;
      return NONE;
    }
    this.#budget.keys++;
    return this.#cells.open();
  }
}

const nameOf = ({metric, dimension, dimensionValue}: CellKey): string =>
  dimension === '' ? metric : `${metric}\0${dimension}\0${dimensionValue}`;

function othersOf(arm: Arm): Map<string, KeyedCell> {
  arm.others ??= new Map();
  return arm.others;
}

function* armsOf(slice: OpenSlice): Generator<Arm> {
  for (const first of slice.arms.values()) for (let arm: Arm | undefined = first; arm !== undefined; arm = arm.next) yield arm;
}

/** A generator for each of a hundred thousand arms would outweigh what is done to their cells. */
function visitCells({cells, others}: Arm, visit: (cell: number) => void): void {
  for (const cell of cells) if (cell !== NONE) visit(cell);
  if (others !== undefined) for (const {cell} of others.values()) visit(cell);
}

function* keyedCells({definition, cells, others}: Arm): Generator<KeyedCell> {
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index] as number;
    if (cell !== NONE) yield {cell, key: totalKey(definition.metrics[index] as Metric)};
  }
  if (others !== undefined) yield* others.values();
}

const totalKeys = new WeakMap<Metric, CellKey>();

/** Of all outcomes together, whatever their attributes. */
function totalKey(metric: Metric): CellKey {
  const known = totalKeys.get(metric);
  if (known !== undefined) return known;
  const key = {metric: metric.key, dimension: '', dimensionValue: ''};
  totalKeys.set(metric, key);
  return key;
}

/** A new version of the experiment may count other metrics; what the old ones counted stays. */
function redefine(arm: Arm, definition: ExperimentDefinition): void {
  const others = othersOf(arm);
  for (const keyed of keyedCells({...arm, others: undefined})) others.set(nameOf(keyed.key), keyed);
  arm.definition = definition;
  arm.cells = definition.metrics.map(metric => {
    const cell = others.get(metric.key)?.cell ?? NONE;
    others.delete(metric.key);
    return cell;
  });
}

/** An attribution that is handed out again has it from the time before. */
function planOf(attribution: Attribution, names: readonly string[]): MetricPlan {
  const known = attribution.plan;
  if (known?.names === names) return known;
  const plan = metricPlan(attribution.view.definition, names);
  attribution.plan = plan;
  return plan;
}

/** How many contributions the outcome makes to the arm. */
function countOf(attribution: Attribution, outcome: SlicedOutcome): number {
  const plan = planOf(attribution, outcome.measureNames);
  if (attribution.phaseEnd === null && plan.contributions !== null) return plan.contributions;
  const {metrics} = attribution.view.definition;
  let count = 0;
  for (let index = 0; index < metrics.length; index++) {
    const {dimensions} = metrics[index] as Metric;
    if (Number.isNaN(plan.value(index, outcome)) || !isWithinAttribution(attribution, metrics[index] as Metric, outcome.eventTs)) continue;
    count++;
    for (const dimension of dimensions) if (outcome.attributes[dimension] !== undefined) count++;
  }
  return count;
}

function knownArm({arms}: OpenSlice, experiment: string, {phase, variant}: {readonly phase: number; readonly variant: string}): Arm | undefined {
  let arm = arms.get(experiment);
  while (arm !== undefined && (arm.phase !== phase || arm.variant !== variant)) arm = arm.next;
  return arm;
}

function armOf(slice: OpenSlice, {experiment, phase, variant}: ArmKey, definition: ExperimentDefinition): Arm {
  const known = knownArm(slice, experiment, {phase, variant});
  if (known !== undefined) return known;
  const {arms} = slice;
  const cells: number[] = [];
  for (let index = 0; index < definition.metrics.length; index++) cells.push(NONE);
  const made: Arm = {
    experiment, phase, variant, definition, cells, others: undefined, isChanged: false, next: arms.get(experiment),
  };
  arms.set(experiment, made);
  return made;
}
