import type {ExperimentView} from '../core/experiment.ts';
import type {EpochMs} from '../core/units.ts';
import {ANALYSIS_DEFAULTS} from '../experiment/definition.ts';

/** As little as the server's own interval may be. */
const LEAST_MS = 1_000;

type Looked = Pick<ExperimentView, 'stream' | 'experiment' | 'definition'>;

/**
 * When each experiment is looked at again: every `look_every` of its definition; one
 * that leaves it as it is by default is looked at as often as the server is set to.
 */
export class LookPlan {
  readonly #usualMs: number;
  readonly #last = new Map<string, {readonly at: number; readonly cut: EpochMs}>();

  constructor(usualMs: number) {
    this.#usualMs = usualMs;
  }

  /** How long nothing can be due. */
  waitMs(views: readonly Looked[]): number {
    return views.reduce((least, view) => Math.min(least, this.#everyMs(view)), this.#usualMs);
  }

  isDue(view: Looked, {now, cut}: {readonly now: number; readonly cut: EpochMs}): boolean {
    const last = this.#last.get(nameOf(view));
    return last === undefined || (this.isNew(view, cut) && now - last.at >= this.#everyMs(view));
  }

  /** A cut that was looked at says nothing new. */
  isNew(view: Looked, cut: EpochMs): boolean {
    return this.#last.get(nameOf(view))?.cut !== cut;
  }

  looked(view: Looked, {now, cut}: {readonly now: number; readonly cut: EpochMs}): void {
    this.#last.set(nameOf(view), {at: now, cut});
  }

  #everyMs({definition: {analysis}}: Looked): number {
    return analysis.lookEveryMs === ANALYSIS_DEFAULTS.lookEveryMs ? this.#usualMs : Math.max(LEAST_MS, analysis.lookEveryMs);
  }
}

const nameOf = ({stream, experiment}: Looked): string => JSON.stringify([stream, experiment]);
