import type {ExperimentVersion} from '../core/experiment.ts';
import type {Stream} from '../core/streams.ts';
import type {ClosingStore} from '../warehouse/warehouse.ts';

/**
 * Copies streams and experiment versions into the warehouse, where the views read
 * phases and designs. Each once per process; again after a restart does no harm.
 */
export class Mirror {
  readonly #warehouse: Pick<ClosingStore, 'mirrorStream' | 'mirrorVersions'>;
  readonly #streams = new Set<string>();
  readonly #versions = new Set<string>();

  constructor(warehouse: Pick<ClosingStore, 'mirrorStream' | 'mirrorVersions'>) {
    this.#warehouse = warehouse;
  }

  async update(stream: Stream, versions: readonly ExperimentVersion[]): Promise<void> {
    if (!this.#streams.has(stream.name)) {
      await this.#warehouse.mirrorStream(stream);
      this.#streams.add(stream.name);
    }
    const fresh = versions.filter(version => !this.#versions.has(keyOf(version)));
    if (fresh.length === 0) return;
    await this.#warehouse.mirrorVersions(fresh);
    for (const version of fresh) this.#versions.add(keyOf(version));
  }
}

const keyOf = ({stream, experiment, version}: ExperimentVersion): string => `${stream}\0${experiment}\0${version}`;
