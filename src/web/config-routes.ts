import type {FastifyInstance} from 'fastify';
import type {SdkConfigDocument} from '../assign/sdk-config.ts';

/** The configuration that SDKs assign by, and when it changes. */
export type ConfigFeed = {
  current(): SdkConfigDocument;
  /** Returns how to stop. */
  subscribe(listener: () => void): () => void;
};

/** A proxy on the way may cut a connection that is silent for longer. */
const WAIT_MS_MAX = 30_000;
/** Requests held back at once; the others are answered without waiting. */
const WAITING_MAX = 10_000;

/**
 * `GET /v1/config?revision=R&wait_ms=W`: the configuration as soon as its revision
 * is another than R, or 304 after W milliseconds without a change.
 */
export function addConfig(app: FastifyInstance, feed: ConfigFeed): void {
  let waiting = 0;
  type Query = {Querystring: {revision?: string; wait_ms?: string}};
  app.get<Query>('/v1/config', async (request, reply) => {
    const {revision, wait_ms = '0'} = request.query;
    const waitMs = Math.min(WAIT_MS_MAX, Math.max(0, Number(wait_ms) || 0));
    if (feed.current().revision === revision && waitMs > 0 && waiting < WAITING_MAX) {
      waiting += 1;
      try {
        await changed(feed, {revision, waitMs, gone: request.raw.socket});
      } finally {
        waiting -= 1;
      }
    }
    const document = feed.current();
    reply.header('cache-control', 'no-store');
    return document.revision === revision ? reply.status(304).send() : reply.send(document);
  });
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
