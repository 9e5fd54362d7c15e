import type {SdkConfig} from '../assign/sdk-config.ts';

/**
 * Where the split comes from. A source keeps its last good configuration while it
 * cannot be reached, and says nothing of it to the caller but by `isAway`.
 */
export interface ConfigSource {
  /** The newest configuration; empty before the first arrived. */
  current(): SdkConfig;
  readonly isAway: boolean;
  /** Resolves with the first configuration; never rejects. */
  readonly ready: Promise<void>;
  /** Called after each change. Returns how to stop. */
  subscribe(listener: (config: SdkConfig) => void): () => void;
  close(): Promise<void>;
}

/** What every source does with a configuration that came in. */
export class ConfigHolder {
  readonly ready: Promise<void>;
  readonly #listeners = new Set<(config: SdkConfig) => void>();
  #config: SdkConfig;
  #markReady: () => void = () => undefined;

  constructor(initial: SdkConfig) {
    this.#config = initial;
    this.ready = new Promise(done => {
      this.#markReady = done;
    });
  }

  get config(): SdkConfig {
    return this.#config;
  }

  set(config: SdkConfig): void {
    this.#config = config;
    this.#markReady();
    for (const listener of this.#listeners) {
      try {
        listener(config);
      } catch {
        // A listener's error is its own; the others must hear of the change.
      }
    }
  }

  subscribe(listener: (config: SdkConfig) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
