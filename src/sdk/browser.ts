import {assign, type AssignRequest, type Assignment} from '../assign/assign.ts';
import {EMPTY_CONFIG, parseSdkConfig, type SdkConfig, type SdkConfigDocument} from '../assign/sdk-config.ts';
import {Remembered} from './remembered.ts';
import {isUnitSampled, outcomeRate} from './sampler.ts';

/** The entry `assay/sdk/browser`: small, without dependencies, over HTTP alone. */
export type BrowserTrackerOptions = {
  /** Of the Assay server, or of the page's own server that passes `/v1/` on. Default: the page's. */
  readonly url?: string;
  /** The page's unit: user, session, device. */
  readonly unitId: string;
  readonly attributes?: Readonly<Record<string, string>>;
  /** experiment → variant to show while the configuration is unknown. */
  readonly fallbacks?: Readonly<Record<string, string>>;
  /** A configuration that came with the page, so that the first paint needs no request. */
  readonly config?: SdkConfigDocument;
  /** How long an event may wait for others. Default: 5 s. */
  readonly batchMs?: number;
};

export type BrowserOutcome = {
  readonly measures?: Readonly<Record<string, number>>;
  readonly status?: 'ok' | 'client_error' | 'server_error' | 'timeout';
  readonly itemId?: string;
  readonly attributes?: Readonly<Record<string, string>>;
};

type Wire = Record<string, unknown>;

/** What of a page is used; the compiler's own list would put a page's globals into every other file. */
declare const document: {readonly visibilityState: string; addEventListener: Listen; removeEventListener: Listen};
declare const navigator: {readonly onLine: boolean; sendBeacon(url: string, body: Blob): boolean};
declare const location: {readonly search: string};
declare const localStorage: {getItem(key: string): string | null; setItem(key: string, value: string): void};
declare const addEventListener: Listen;
declare const removeEventListener: Listen;
type Listen = (type: string, listener: () => void) => void;

const EVENTS_MAX = 1_000;
const BATCH_MAX = 100;
/** A beacon may hold 64 KiB; texts are counted in UTF-16 units, so leave room. */
const BEACON_CHARS_MAX = 20_000;
const BATCH_MS = 5_000;
const BACKOFF_MS_MAX = 60_000;
const STORE_KEY = 'assay.queue.v1';
const CONFIG_KEY = 'assay.config.v1';
const JSON_TYPE = 'application/x-ndjson';

/**
 * Assigns in the page and sends what was met. Events wait in memory and in
 * localStorage, so that they survive being offline and a closed tab; when the page
 * is hidden they leave as a beacon. An event may be sent twice; it counts once.
 */
export class BrowserTracker {
  readonly #options: BrowserTrackerOptions;
  readonly #exposed = new Remembered(500);
  #queue: Wire[];
  #config: SdkConfig = EMPTY_CONFIG;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #sending: Promise<boolean> | undefined;
  #dropped = 0;
  /** Resolves once a configuration is here or could not be had. */
  readonly ready: Promise<void>;

  constructor(options: BrowserTrackerOptions) {
    this.#options = options;
    this.#queue = (load(STORE_KEY) as Wire[] | undefined) ?? [];
    this.#learn(options.config ?? load(CONFIG_KEY));
    this.ready = this.refresh();
    addEventListener('online', this.#onOnline);
    addEventListener('pagehide', this.#onHide);
    document.addEventListener('visibilitychange', this.#onHide);
    if (this.#queue.length > 0) this.#sendIn(0);
  }

  /** Asks for the configuration; the last good one stays when there is no answer. */
  async refresh(): Promise<void> {
    try {
      const response = await fetch(`${this.#options.url ?? ''}/v1/config`, {credentials: 'same-origin'});
      if (!response.ok) return;
      const answer: unknown = await response.json();
      if (this.#learn(answer)) store(CONFIG_KEY, answer);
    } catch {
      // Offline: the last good configuration stays.
    }
  }

  assign(experiment: string, request: Omit<AssignRequest, 'unitId'> = {}): Assignment {
    const version = this.#config.experiments.get(experiment);
    const {unitId, fallbacks} = this.#options;
    if (version === undefined) return {variant: fallbacks?.[experiment] ?? '', reason: 'fallback', cause: 'unknown_experiment', phase: 0, configVersion: 0};
    return assign(version, {query: Object.fromEntries(new URLSearchParams(location.search)), ...request, unitId});
  }

  /** The variant, and the event that it was met: once per experiment, phase and variant. */
  expose(experiment: string, request: Omit<AssignRequest, 'unitId'> = {}): Assignment {
    const assignment = this.assign(experiment, request);
    const {variant, phase, configVersion, reason, cause} = assignment;
    const isMet = cause === 'slot' || cause === 'override';
    const rate = this.#config.experiments.get(experiment)?.definition.sampleRate ?? 1;
    if (isMet && isUnitSampled(this.#options.unitId, rate) && this.#exposed.add(`${experiment}\0${phase}\0${variant}\0${reason}`)) {
      this.#push({type: 'exposure', experiment, variant, phase, config_version: configVersion, reason, sample_rate: rate, attributes: request.attributes});
    }
    return assignment;
  }

  outcome({measures = {}, status = 'ok', itemId, attributes}: BrowserOutcome = {}): void {
    const rate = outcomeRate(this.#config);
    if (isUnitSampled(this.#options.unitId, rate)) this.#push({type: 'outcome', measures, status, item_id: itemId, sample_rate: rate, attributes});
  }

  counts(): {readonly queued: number; readonly dropped: number} {
    return {queued: this.#queue.length, dropped: this.#dropped};
  }

  /** Resolves true once nothing is queued, false when the server does not answer. */
  async flush(): Promise<boolean> {
    while (this.#queue.length > 0) if (!(await this.#send())) return false;
    return true;
  }

  close(): void {
    clearTimeout(this.#timer);
    removeEventListener('online', this.#onOnline);
    removeEventListener('pagehide', this.#onHide);
    document.removeEventListener('visibilitychange', this.#onHide);
    this.#beacon();
  }

  readonly #onOnline = (): void => {
    this.#failures = 0;
    this.#sendIn(0);
  };

  readonly #onHide = (): void => {
    if (document.visibilityState === 'hidden') this.#beacon();
  };

  #learn(document: unknown): boolean {
    try {
      if (document === undefined) return false;
      this.#config = parseSdkConfig(document);
      return true;
    } catch {
      return false;
    }
  }

  #push({attributes, ...event}: Wire): void {
    const now = Math.floor(performance.timeOrigin + performance.now());
    this.#queue.push({event_id: uuidV7(now), unit_id: this.#options.unitId, event_ts: now, attributes: {...this.#options.attributes, ...(attributes as object)}, ...event});
    if (this.#queue.length > EVENTS_MAX) this.#dropped += this.#queue.splice(0, this.#queue.length - EVENTS_MAX).length;
    this.#save();
    this.#sendIn(this.#queue.length >= BATCH_MAX ? 0 : (this.#options.batchMs ?? BATCH_MS));
  }

  #sendIn(ms: number): void {
    if (this.#timer !== undefined && ms > 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#send();
    }, ms);
  }

  #send(): Promise<boolean> {
    this.#sending ??= this.#post().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #post(): Promise<boolean> {
    const batch = this.#queue.slice(0, BATCH_MAX);
    if (batch.length === 0) return true;
    try {
      const response = await fetch(this.#address, {method: 'POST', body: linesOf(batch), headers: {'content-type': JSON_TYPE}});
      // 400 names events that will never be right; those of a busy or broken server wait.
      if (response.status !== 202 && response.status !== 400) throw new Error(`the server answered ${response.status}`);
      this.#failures = 0;
      this.#remove(batch);
      if (this.#queue.length > 0) this.#sendIn(this.#queue.length >= BATCH_MAX ? 0 : BATCH_MS);
      return true;
    } catch {
      this.#failures += 1;
      this.#sendIn(Math.min(BACKOFF_MS_MAX, 1_000 * 2 ** Math.min(this.#failures, 10)) * (0.85 + 0.3 * jitter()));
      return false;
    }
  }

  /**
   * The browser delivers it after the page is gone, but tells nobody whether the server took it: the
   * events stay in localStorage, and the next page sends them again. They count once.
   */
  #beacon(): void {
    for (let from = 0; from < this.#queue.length; ) {
      let count = Math.min(BATCH_MAX, this.#queue.length - from);
      while (count > 1 && linesOf(this.#queue.slice(from, from + count)).length > BEACON_CHARS_MAX) count = Math.ceil(count / 2);
      const body = new Blob([linesOf(this.#queue.slice(from, from + count))], {type: 'text/plain'});
      if (!navigator.onLine || !navigator.sendBeacon(this.#address, body)) return;
      from += count;
    }
  }

  get #address(): string {
    return `${this.#options.url ?? ''}/v1/events`;
  }

  #remove(batch: readonly Wire[]): void {
    const gone = new Set(batch.map(event => event['event_id']));
    this.#queue = this.#queue.filter(event => !gone.has(event['event_id']));
    this.#save();
  }

  #save(): void {
    store(STORE_KEY, this.#queue);
  }
}

const linesOf = (events: readonly Wire[]): string => events.map(event => `${JSON.stringify(event)}\n`).join('');

function load(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

/** Storage may be full or forbidden: then memory must do. */
function store(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // See above.
  }
}

const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));
const jitter = (): number => (random(1)[0] ?? 0) / 256;

function uuidV7(ms: number): string {
  const bytes = random(10);
  bytes[0] = 0x70 | ((bytes[0] ?? 0) & 0x0f);
  bytes[2] = 0x80 | ((bytes[2] ?? 0) & 0x3f);
  const hex = Math.floor(ms).toString(16).padStart(12, '0') + Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
