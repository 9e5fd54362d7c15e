import type {ExperimentVersion, ExperimentView} from '../core/experiment.ts';
import type {Stream} from '../core/streams.ts';
import type {EpochMs} from '../core/units.ts';

/** What closing needs of the experiments topic's fold (`experiment/`). */
export type ClosingConfig = {
  streams(): readonly Stream[];
  /** Resolves once everything that was in the experiments topic when asked has been folded. */
  readToEnd(): Promise<void>;
  /** Every accepted version of the stream, oldest first. */
  versions(stream: string): readonly ExperimentVersion[];
  /**
   * Each experiment's newest version with validFrom ≤ `at`. A function of the topic's
   * content and `at` alone, so that two closers compute a slice by the same definition.
   */
  viewsAt(stream: string, at: EpochMs): readonly ExperimentView[];
  /** A view per accepted version, oldest first: stored slices are audited by the version they name. */
  viewsOfAllVersions(stream: string): readonly ExperimentView[];
};
