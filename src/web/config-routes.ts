import type {FastifyInstance} from 'fastify';
import type {SdkConfigDocument} from '../assign/sdk-config.ts';
import {LIVE_STREAM} from '../core/streams.ts';
import {makeSdkConfig} from '../experiment/make-sdk-config.ts';
import type {ExperimentRegistry} from '../experiment/registry.ts';
import type {ExperimentsState} from '../experiment/state.ts';

/** The configuration that SDKs assign by, and when it changes. */
export type ConfigFeed = {
  current(): SdkConfigDocument;
  /** Returns how to stop. */
  subscribe(listener: () => void): () => void;
};

/** A proxy on the way may cut a connection that is silent for longer. */
export const CONFIG_WAIT_MS_MAX = 30_000;
/** Requests held back at once; the others are answered without waiting. */
const WAITING_MAX = 10_000;

/**
 * `GET /v1/config?revision=R&wait_ms=W`: the configuration as soon as its revision
 * is another than R, or 304 after W milliseconds without a change.
 */
export function addConfig(app: FastifyInstance, feed: ConfigFeed): void {
  const waiting = new ConfigWaiting(feed);
  type Query = {Querystring: {revision?: string; wait_ms?: string}};
  app.get<Query>('/v1/config', async (request, reply) => {
    const {revision, wait_ms = '0'} = request.query;
    const document = await waiting.next({revision, waitMs: Math.max(0, Number(wait_ms) || 0), gone: reply.raw});
    reply.header('cache-control', 'no-store');
    return document.revision === revision ? reply.status(304).send() : reply.send(document);
  });
}

/** Requests that are held back until something changes. */
export class ConfigWaiting {
  readonly #feed: ConfigFeed;
  #waiting = 0;

  constructor(feed: ConfigFeed) {
    this.#feed = feed;
  }

  /** The configuration as soon as its revision is another than the one named, at the latest after `waitMs`. */
  async next({revision, waitMs, gone}: {readonly revision: string | undefined; readonly waitMs: number; readonly gone: NodeJS.EventEmitter}): Promise<SdkConfigDocument> {
    if (revision !== undefined && this.#feed.current().revision === revision && waitMs > 0 && this.#waiting < WAITING_MAX) {
      this.#waiting += 1;
      try {
        await changed(this.#feed, {revision, waitMs: Math.min(CONFIG_WAIT_MS_MAX, waitMs), gone});
      } finally {
        this.#waiting -= 1;
      }
    }
    return this.#feed.current();
  }
}

/** Thousands of SDKs ask for the same answer after each change, so it is made once. */
export function makeConfigFeed(registry: ExperimentRegistry): ConfigFeed {
  let made: {readonly state: ExperimentsState; readonly document: SdkConfigDocument} | undefined;
  return {
    current: () => {
      const state = registry.snapshot();
      if (made?.state !== state) made = {state, document: makeSdkConfig(state, LIVE_STREAM)};
      return made.document;
    },
    subscribe: listener => registry.subscribe(listener),
  };
}

type Wait = {readonly revision: string; readonly waitMs: number; readonly gone: NodeJS.EventEmitter};

/** Resolves with the change, at the end of the wait, or when the caller went away. */
function changed(feed: ConfigFeed, {revision, waitMs, gone}: Wait): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      clearTimeout(timer);
      stop();
      gone.off('close', done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    const stop = feed.subscribe(() => {
      if (feed.current().revision !== revision) done();
    });
    gone.once('close', done);
  });
}
