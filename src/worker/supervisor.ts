import type {Clock} from '../core/clock.ts';
import {messageOf} from '../core/errors.ts';
import {LIMITS} from '../core/limits.ts';
import type {Rng} from '../core/rng.ts';
import type {Stream} from '../core/streams.ts';
import type {Logger, Metrics} from '../core/telemetry.ts';
import {backoffMs} from './backoff.ts';
import {WORKER_LIMITS} from './worker-limits.ts';
import {WORKER_METRICS} from './worker-metrics.ts';
import type {WorkerEnd} from './worker-options.ts';

export type SupervisorOptions = {
  /** The streams the registry shows now; asked again and again. A stream is never withdrawn. */
  readonly streams: () => readonly Stream[];
  /** One life of one stream's worker; `runWorker` with its options filled in. */
  readonly run: (stream: Stream, hooks: {readonly signal: AbortSignal; readonly onProgress: () => void}) => Promise<WorkerEnd>;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: Logger;
  readonly metrics: Metrics;
};

export type SupervisorEnd = {readonly reason: 'stopped'} | {readonly reason: 'fatal'; readonly error: unknown};

export type Readiness = {readonly isReady: boolean; readonly streams: Readonly<Record<string, 'running' | 'rebuilding'>>};

/**
 * Keeps one worker per stream alive.
 *
 *     running ──stopped──► (done)
 *        │ ▲
 *  rebuild│ │progress: the count of tries starts anew
 *        ▼ │
 *     rebuilding ──more than consumerRebuildsMax in a row──► fatal, the process exits
 *        running ──fatal──► fatal
 *
 * A fenced kafkajs consumer crashes and never rejoins, hence the rebuild. While one
 * stream rebuilds the process is not ready, so an orchestrator can see it.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #states = new Map<string, 'running' | 'rebuilding'>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  readiness(): Readiness {
    const isReady = [...this.#states.values()].every(state => state === 'running');
    return {isReady, streams: Object.fromEntries(this.#states)};
  }

  /** Resolves when every worker drained after `signal`, or with the first fatal end (the others drain too). */
  async run(signal: AbortSignal): Promise<SupervisorEnd> {
    const {clock, streams} = this.#options;
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    signal.addEventListener('abort', onAbort, {once: true});
    if (signal.aborted) stop.abort();
    let end: SupervisorEnd = {reason: 'stopped'};
    const running = new Map<string, Promise<void>>();
    while (!stop.signal.aborted) {
      for (const stream of streams()) {
        if (running.has(stream.name)) continue;
        const life = this.#keepAlive(stream, stop.signal).then(ended => {
          if (ended.reason === 'fatal' && end.reason === 'stopped') end = ended;
          if (ended.reason === 'fatal') stop.abort();
        });
        running.set(stream.name, life);
      }
      this.#show();
      await clock.sleep(WORKER_LIMITS.streamsPollMs, stop.signal);
    }
    await Promise.all(running.values());
    signal.removeEventListener('abort', onAbort);
    return end;
  }

  async #keepAlive(stream: Stream, signal: AbortSignal): Promise<SupervisorEnd> {
    const {run, clock, rng, logger, metrics} = this.#options;
    let tries = 0;
    const onProgress = (): void => {
      tries = 0;
      this.#states.set(stream.name, 'running');
    };
    while (!signal.aborted) {
      if (tries === 0) this.#states.set(stream.name, 'running');
      const end = await run(stream, {signal, onProgress});
      if (end.reason !== 'rebuild') return end;
      tries++;
      this.#states.set(stream.name, 'rebuilding');
      metrics.count(WORKER_METRICS.rebuilds, 1, {stream: stream.name});
      if (tries > LIMITS.consumerRebuildsMax) return {reason: 'fatal', error: end.error};
      logger.warn('worker rebuilt', {stream: stream.name, tries, error: messageOf(end.error)});
      await clock.sleep(backoffMs(tries, rng), signal);
    }
    return {reason: 'stopped'};
  }

  #show(): void {
    this.#options.metrics.gauge(WORKER_METRICS.ready, this.readiness().isReady ? 1 : 0);
  }
}
