import {EMPTY_CONFIG, parseSdkConfig, type SdkConfig} from '../assign/sdk-config.ts';
import type {Clock} from '../core/clock.ts';
import {messageOf} from '../core/errors.ts';
import type {Logger} from '../core/telemetry.ts';
import {ConfigHolder, type ConfigSource} from './config-source.ts';
import {bearer} from './http-transport.ts';
import type {SdkLimits} from './limits.ts';

export type HttpConfigOptions = {
  readonly url: string;
  readonly apiKey?: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: SdkLimits;
  readonly fetch?: typeof fetch;
};

/** Long poll: the server answers when the configuration is another than the one named, or after a while. */
export class HttpConfigSource implements ConfigSource {
  readonly #options: HttpConfigOptions;
  readonly #holder = new ConfigHolder(EMPTY_CONFIG);
  readonly #abort = new AbortController();
  readonly #following: Promise<void>;
  #isAway = false;

  constructor(options: HttpConfigOptions) {
    this.#options = options;
    this.#following = this.#follow();
  }

  current(): SdkConfig {
    return this.#holder.config;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  get ready(): Promise<void> {
    return this.#holder.ready;
  }

  subscribe(listener: (config: SdkConfig) => void): () => void {
    return this.#holder.subscribe(listener);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#following;
  }

  async #follow(): Promise<void> {
    const {clock, logger, limits} = this.#options;
    const {signal} = this.#abort;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const config = await this.#ask();
        failures = 0;
        this.#isAway = false;
        if (config !== undefined) this.#holder.set(config);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        this.#isAway = true;
        if (failures === 1) logger.warn('configuration not read; the last good one stays', {error: messageOf(error)});
        await clock.sleep(Math.min(limits.retryBackoffMsMax, limits.retryBackoffMsMin * 2 ** Math.min(failures - 1, 20)), signal);
      }
    }
  }

  /** undefined: unchanged. */
  async #ask(): Promise<SdkConfig | undefined> {
    const {url, apiKey, limits, fetch: get = fetch} = this.#options;
    const address = new URL('/v1/config', url);
    // Without a revision the answer comes at once, also that there is no experiment yet.
    if (this.#holder.config !== EMPTY_CONFIG) {
      address.searchParams.set('revision', this.#holder.config.revision);
      address.searchParams.set('wait_ms', String(limits.configWaitMs));
    }
    const response = await get(address, {
      headers: bearer(apiKey),
      signal: AbortSignal.any([this.#abort.signal, AbortSignal.timeout(limits.configWaitMs + limits.requestMsMax)]),
    });
    if (response.status === 304) return undefined;
    const text = await response.text();
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    return parseSdkConfig(JSON.parse(text));
  }
}
