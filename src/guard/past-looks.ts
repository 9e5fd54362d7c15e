import type {ExperimentView, Guard} from '../core/experiment.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import type {GuardStore, GuardWindow, ReadStore} from '../warehouse/warehouse.ts';
import {driftFindings} from './drift.ts';
import type {Finding} from './evaluate.ts';
import {earlierMsOf, findingOf, metricsOf} from './guard-findings.ts';
import {endsOf, LAG_MS_MAX} from './guard-look.ts';

/*
 * What a guard would have found at times that are over: the findings of the live guard,
 * from stored slices and facts that are read a good piece at a time.
 */

export type PastSpan = {
  readonly warehouse: Pick<GuardStore, 'guardHistory'> & Pick<ReadStore, 'query'>;
  readonly view: ExperimentView;
  /** The guard's place in the definition. */
  readonly index: number;
  readonly sliceMs: number;
  readonly to: EpochMs;
};

export interface PastLook {
  /** From one look to the next. */
  readonly stepMs: number;
  findingOf(variant: string, place: Place): Promise<Finding | undefined>;
}

/** Windows that began before `since` are not looked at. */
type Place = {readonly phase: number; readonly at: EpochMs; readonly since: number};

/** Slices of all windows of one query: it stays within a second or so, and its answer within some megabytes. */
const WINDOW_SLICES_MAX = 20_000;
/** After a stretch without data the next question may be this much longer. */
const STRIDE_MAX = 8;
/** Windows of facts of one query, and how long it may take. */
const DRIFT_ENDS_MAX = 60;
const DRIFT_SECONDS_MAX = 30;

/** At the end of each slice; a drift guard, which reads facts, each half window. */
export const pastLook = (span: PastSpan, guard: Guard): PastLook => (guard.kind === 'drift' ? new DriftLook(span, guard) : new WindowLook(span, guard));


/** Windows, read some thousand slices ahead. */
class WindowLook implements PastLook {
  readonly stepMs: number;
  readonly #span: PastSpan;
  readonly #guard: Guard;
  readonly #byEnd = new Map<number, GuardWindow[]>();
  #phase = 0;
  #readTo = Number.NEGATIVE_INFINITY;
  #stride = 1;

  constructor(span: PastSpan, guard: Guard) {
    this.#span = span;
    this.#guard = guard;
    this.stepMs = span.sliceMs;
  }

  async findingOf(variant: string, {phase, at, since}: Place): Promise<Finding | undefined> {
    const {view, index, sliceMs} = this.#span;
    const guard = this.#guard;
    const earlierMs = earlierMsOf(guard);
    await this.#read({phase, at, backMs: Math.max(LAG_MS_MAX, earlierMs)});
    if (this.#byEnd.size === 0) return undefined;
    const rows = endsOf({at, sizeMs: guard.windowMs, sliceMs, earlierMs}).flatMap(end => (this.#byEnd.get(end) ?? []).filter(row => row.window_start >= since));
    return rows.length === 0 ? undefined : findingOf({view, guard, index, variant, at}, rows);
  }

  async #read({phase, at, backMs}: Pick<Place, 'phase' | 'at'> & {readonly backMs: number}): Promise<void> {
    if (phase === this.#phase && at <= this.#readTo) return;
    const {warehouse, view, sliceMs, to} = this.#span;
    const {windowMs: sizeMs} = this.#guard;
    const oldest = at - backMs;
    if (phase !== this.#phase) this.#byEnd.clear();
    for (const end of [...this.#byEnd.keys()].filter(one => one < oldest)) this.#byEnd.delete(end);
    const begin = phase === this.#phase ? Math.max(this.#readTo + sliceMs, oldest) : oldest;
    const until = Math.min(Math.floor(to / sliceMs) * sliceMs, at + Math.max(1, Math.floor((this.#stride * WINDOW_SLICES_MAX * sliceMs) / sizeMs)) * sliceMs);
    const ends: EpochMs[] = [];
    for (let end = Math.ceil(Math.max(sliceMs, begin) / sliceMs) * sliceMs; end <= until; end += sliceMs) ends.push(epochMs(end));
    const metrics = metricsOf(view.definition, this.#guard);
    const rows = await warehouse.guardHistory(view.stream, [{experiment: view.experiment, phase, sizeMs, metrics, ends}]);
    this.#stride = rows.length > 0 ? 1 : Math.min(STRIDE_MAX, this.#stride * 2);
    for (const row of rows) {
      const known = this.#byEnd.get(row.window_end);
      if (known === undefined) this.#byEnd.set(row.window_end, [row]);
      else known.push(row);
    }
    this.#phase = phase;
    this.#readTo = until;
  }
}

/** Distances, read some windows ahead. */
class DriftLook implements PastLook {
  readonly stepMs: number;
  readonly #span: PastSpan;
  readonly #guard: Guard;
  readonly #known = new Map<string, {readonly phase: number; readonly byEnd: ReadonlyMap<number, Finding>}>();

  constructor(span: PastSpan, guard: Guard) {
    this.#span = span;
    this.#guard = guard;
    this.stepMs = Math.max(span.sliceMs, Math.floor(guard.windowMs / 2 / span.sliceMs) * span.sliceMs);
  }

  async findingOf(variant: string, {phase, at, since}: Place): Promise<Finding | undefined> {
    const {windowMs} = this.#guard;
    if (at - windowMs < since) return undefined;
    const known = this.#known.get(variant);
    const found = known?.phase === phase ? known.byEnd.get(at) : undefined;
    return found ?? (await this.#read(variant, {phase, at})).get(at);
  }

  async #read(variant: string, {phase, at}: Pick<Place, 'phase' | 'at'>): Promise<ReadonlyMap<number, Finding>> {
    const {warehouse, view, index, to} = this.#span;
    const guard = this.#guard;
    const ends: EpochMs[] = [];
    for (let end: number = at; end <= to && ends.length < DRIFT_ENDS_MAX; end += this.stepMs) ends.push(epochMs(end));
    const found = await driftFindings(warehouse, {view, guard, index, variant}, {stream: view.stream, phase, ends, secondsMax: DRIFT_SECONDS_MAX});
    const byEnd = new Map(found.map(one => [one.at as number, one]));
    this.#known.set(variant, {phase, byEnd});
    return byEnd;
  }
}
