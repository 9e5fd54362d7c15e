import {EMPTY_CONFIG, type SdkConfig} from '../assign/sdk-config.ts';
import type {Clock} from '../core/clock.ts';
import {messageOf} from '../core/errors.ts';
import type {Logger} from '../core/telemetry.ts';
import {sdkConfigOf} from '../experiment/make-sdk-config.ts';
import type {ExperimentRegistry} from '../experiment/registry.ts';
import {ConfigHolder, type ConfigSource} from './config-source.ts';
import type {SdkLimits} from './limits.ts';

export type RegistryConfigOptions = {
  /** Opens the registry; asked again after a failure. */
  readonly open: () => Promise<ExperimentRegistry>;
  readonly stream: string;
  /** Whether close() closes the registry. */
  readonly ownsRegistry: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: SdkLimits;
};

/** Follows the experiments topic itself: a change is here as soon as the log hands it over. */
export class RegistryConfigSource implements ConfigSource {
  readonly #options: RegistryConfigOptions;
  readonly #holder = new ConfigHolder(EMPTY_CONFIG);
  readonly #abort = new AbortController();
  readonly #opening: Promise<void>;
  #registry: ExperimentRegistry | undefined;
  #stop: () => void = () => undefined;

  constructor(options: RegistryConfigOptions) {
    this.#options = options;
    this.#opening = this.#open();
  }

  current(): SdkConfig {
    return this.#holder.config;
  }

  get isAway(): boolean {
    return this.#registry?.isAway ?? true;
  }

  get ready(): Promise<void> {
    return this.#holder.ready;
  }

  subscribe(listener: (config: SdkConfig) => void): () => void {
    return this.#holder.subscribe(listener);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#stop();
    await this.#opening;
    if (this.#options.ownsRegistry) await this.#registry?.close();
  }

  async #open(): Promise<void> {
    const {open, stream, clock, logger, limits} = this.#options;
    const {signal} = this.#abort;
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        const registry = await open();
        this.#registry = registry;
        this.#stop = registry.subscribe(({state, versions}) => {
          if (versions.some(version => version.stream === stream)) this.#holder.set(sdkConfigOf(state, stream));
        });
        this.#holder.set(sdkConfigOf(registry.snapshot(), stream));
        return;
      } catch (error) {
        if (failures === 0) logger.warn('experiments topic not read yet', {error: messageOf(error)});
        await clock.sleep(Math.min(limits.retryBackoffMsMax, limits.retryBackoffMsMin * 2 ** Math.min(failures, 20)), signal);
      }
    }
  }
}
