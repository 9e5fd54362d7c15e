import type {ExperimentVersion, ExperimentView, PhaseSpan} from '../../core/experiment.ts';
import type {FactBatch} from '../../core/facts.ts';
import type {Stream} from '../../core/streams.ts';
import {placeOutcome} from './attribute-outcome.ts';
import {type AnyFact, identityOf} from './fact-table.ts';
import type {InsertFault} from './memory-facts.ts';
import {StreamStore} from './stream-store.ts';

/** Hooks for simulation: what goes wrong, when, and what is wrong on purpose. */
export type MemoryWarehouseOptions = {
  /** Before each operation: may wait, or reject as a warehouse that refuses. */
  readonly onCall?: (operation: string) => Promise<void>;
  readonly onInsert?: (batch: FactBatch) => Promise<InsertFault>;
  /** A planted bug: another notion of what is one fact. */
  readonly identityOf?: (fact: AnyFact) => string;
  /** A planted bug: another rule of attribution. */
  readonly placeOutcome?: typeof placeOutcome;
};

/** What all parts of the memory warehouse share. */
export class MemoryState {
  readonly options: MemoryWarehouseOptions;
  readonly place: typeof placeOutcome;
  readonly streamRecords = new Map<string, Stream>();
  readonly versions = new Map<string, ExperimentVersion>();
  readonly #stores = new Map<string, StreamStore>();

  constructor(options: MemoryWarehouseOptions) {
    this.options = options;
    this.place = options.placeOutcome ?? placeOutcome;
  }

  called(operation: string): Promise<void> {
    return this.options.onCall?.(operation) ?? Promise.resolve();
  }

  stream(name: string): StreamStore {
    const known = this.#stores.get(name);
    if (known !== undefined) return known;
    const store = new StreamStore(this.options.identityOf ?? identityOf);
    this.#stores.set(name, store);
    return store;
  }

  streamNames(): string[] {
    return [...this.#stores.keys()];
  }

  /** The newest mirrored version of each of the stream's experiments, with all phases. */
  newestViews(stream: string): ExperimentView[] {
    const histories = new Map<string, ExperimentVersion[]>();
    for (const version of this.versions.values()) {
      if (version.stream !== stream) continue;
      const history = histories.get(version.experiment) ?? [];
      history.push(version);
      histories.set(version.experiment, history);
    }
    return [...histories.values()].flatMap(history => {
      const sorted = history.sort((a, b) => a.version - b.version);
      const newest = sorted.at(-1);
      if (newest === undefined) return [];
      const {experiment, version, definition} = newest;
      return [{stream, experiment, version, definition, phases: phasesOf(sorted)}];
    });
  }
}

function phasesOf(history: readonly ExperimentVersion[]): PhaseSpan[] {
  const starts = history.filter((version, index) => version.phase !== history[index - 1]?.phase);
  return starts.map(({phase, validFrom, definition}, index) => ({
    phase,
    validFrom,
    validTo: starts[index + 1]?.validFrom ?? null,
    weights: Object.fromEntries(definition.variants.map(({key, weight}) => [key, weight])),
  }));
}
