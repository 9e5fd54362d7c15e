import type {ServerResponse} from 'node:http';
import {digestOf} from '../core/canonical-json.ts';
import type {Clock} from '../core/clock.ts';
import {messageOf} from '../core/errors.ts';
import type {Stream} from '../core/streams.ts';
import type {Logger} from '../core/telemetry.ts';
import {epochMs} from '../core/units.ts';
import type {ExperimentRegistry} from '../experiment/registry.ts';
import {loadQuery} from '../warehouse/clickhouse/query-file.ts';
import type {ReadStore} from '../warehouse/warehouse.ts';
import {ProblemError} from './problem.ts';
import {newestEnd, toWindow} from './routes/results.ts';
import {readSummaries} from './summaries.ts';

export type LiveTopic = {
  readonly stream: Stream;
  /** null: every experiment's decisions, no windows. */
  readonly experiment: string | null;
  readonly sizeS: number;
  readonly slideS: number;
};

const WINDOWS_EVERY_MS = 1_000;
const SUMMARIES_EVERY_MS = 2_000;
/** A round waits this many times as long as it took, so that looking never takes more than a fifth of a core. */
const REST_PER_WORK = 4;
/** Proxies cut what is silent; a comment keeps the connection. */
const HEARTBEAT_MS = 15_000;
const LISTENERS_MAX = 200;
/** A listener that does not read is cut; it comes back by itself. */
const UNSENT_BYTES_MAX = 1024 * 1024;
/** Windows sent at first and looked at again each round. */
const WINDOWS_BACK = 60;

/**
 * Server-sent events: `windows`, `decision` and `config` as they change. However many
 * listen to one thing, the warehouse is asked once a round.
 */
export class LiveFeed {
  readonly #warehouse: ReadStore;
  readonly #registry: ExperimentRegistry;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #channels = new Map<string, Channel>();
  readonly #abort = new AbortController();

  constructor({warehouse, registry, clock, logger}: {readonly warehouse: ReadStore; readonly registry: ExperimentRegistry; readonly clock: Clock; readonly logger: Logger}) {
    this.#warehouse = warehouse;
    this.#registry = registry;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Takes the response over. @throws ProblemError 503 when too many listen. */
  join(topic: LiveTopic, response: ServerResponse, headers: Readonly<Record<string, string>>): void {
    const listeners = [...this.#channels.values()].reduce((sum, channel) => sum + channel.listeners.size, 0);
    if (listeners >= LISTENERS_MAX || this.#abort.signal.aborted) {
      throw new ProblemError({status: 503, title: 'Too many listen', detail: `${LISTENERS_MAX} connections are open already; try again later`, retryAfterSeconds: 30});
    }
    response.writeHead(200, {...headers, 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no'});
    response.write('retry: 2000\n\n');
    const key = JSON.stringify([topic.stream.name, topic.experiment, topic.sizeS, topic.slideS]);
    const channel = this.#channels.get(key) ?? this.#start(key, topic);
    for (const frame of channel.newest.values()) response.write(frame);
    channel.listeners.add(response);
    const leave = (): void => {
      channel.listeners.delete(response);
      if (channel.listeners.size > 0) return;
      channel.stop.abort();
      if (this.#channels.get(key) === channel) this.#channels.delete(key);
    };
    response.once('close', leave);
    response.on('error', leave);
  }

  close(): void {
    this.#abort.abort();
    for (const channel of this.#channels.values()) {
      channel.stop.abort();
      for (const response of channel.listeners) response.end();
    }
    this.#channels.clear();
  }

  #start(key: string, topic: LiveTopic): Channel {
    const channel: Channel = {topic, listeners: new Set(), newest: new Map(), stop: new AbortController(), seen: new Map()};
    this.#channels.set(key, channel);
    const {signal} = channel.stop;
    const stopListening = this.#registry.subscribe(({versions}) => {
      for (const version of versions) {
        if (version.stream !== topic.stream.name || (topic.experiment !== null && topic.experiment !== version.experiment)) continue;
        const {experiment, version: number, phase, author, reason, definition} = version;
        send(channel, 'config', {experiment, version: number, phase, lifecycle: definition.lifecycle, author, reason}, false);
      }
    });
    signal.addEventListener('abort', stopListening, {once: true});
    void this.#loop(signal, HEARTBEAT_MS, () => broadcast(channel, ': still here\n\n'));
    void this.#loop(signal, SUMMARIES_EVERY_MS, () => this.#decisions(channel));
    if (topic.experiment !== null) void this.#loop(signal, WINDOWS_EVERY_MS, () => this.#windows(channel));
    return channel;
  }

  async #loop(signal: AbortSignal, everyMs: number, round: () => Promise<void> | void): Promise<void> {
    while (!signal.aborted) {
      const startedAt = this.#clock.now();
      try {
        await round();
      } catch (error) {
        this.#logger.warn('live round failed', {error: messageOf(error)});
      }
      const tookMs = this.#clock.now() - startedAt;
      await this.#clock.sleep(Math.max(everyMs, tookMs * REST_PER_WORK), signal);
    }
  }

  async #decisions(channel: Channel): Promise<void> {
    const {stream, experiment} = channel.topic;
    const summaries = await readSummaries({warehouse: this.#warehouse}, stream.name);
    const shown = [...summaries].filter(([name]) => experiment === null || name === experiment);
    const changed = shown.filter(([name, summary]) => isNew(channel, `decision/${name}`, summary));
    if (changed.length > 0) send(channel, 'decision', changed.map(([name, results]) => ({experiment: name, results})), true);
  }

  async #windows(channel: Channel): Promise<void> {
    const {stream, experiment, sizeS, slideS} = channel.topic;
    if (experiment === null) return;
    const [sizeMs, slideMs] = [sizeS * 1000, slideS * 1000];
    const [fingerprint] = await this.#warehouse.query(loadQuery('windows-fingerprint'), {parameters: {stream: stream.name, experiment}});
    if (!isNew(channel, 'fingerprint', fingerprint)) return;
    const to = await newestEnd(this.#warehouse, {stream, experiment, sizeMs});
    if (to === null) return;
    const from = epochMs(to - WINDOWS_BACK * slideMs);
    const rows = await this.#warehouse.windows({stream: stream.name, experiment, sizeMs, slideMs, from, to});
    const windows = rows.map(toWindow);
    if (isNew(channel, 'windows', windows)) send(channel, 'windows', {windows}, true);
  }
}

type Channel = {
  readonly topic: LiveTopic;
  readonly listeners: Set<ServerResponse>;
  /** The newest frame of each kind, for who joins later. */
  readonly newest: Map<string, string>;
  readonly seen: Map<string, string>;
  readonly stop: AbortController;
};

function isNew(channel: Channel, key: string, value: unknown): boolean {
  const digest = digestOf(value);
  if (channel.seen.get(key) === digest) return false;
  channel.seen.set(key, digest);
  return true;
}

function send(channel: Channel, event: string, data: unknown, isKept: boolean): void {
  const frame = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
  if (isKept) channel.newest.set(event, frame);
  broadcast(channel, frame);
}

function broadcast(channel: Channel, frame: string): void {
  for (const response of channel.listeners) {
    if (response.writableLength > UNSENT_BYTES_MAX) response.destroy();
    else response.write(frame);
  }
}
