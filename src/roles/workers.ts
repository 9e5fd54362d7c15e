import {randomUUID} from 'node:crypto';
import type {Stream} from '../core/streams.ts';
import {openRecordHasher} from '../worker/record-hasher.ts';
import {Supervisor, type SupervisorEnd} from '../worker/supervisor.ts';
import {runWorker} from '../worker/worker.ts';
import {currentViews} from './closing-config.ts';
import type {Platform} from './platform.ts';

export type Workers = {
  readonly supervisor: Supervisor;
  /** Resolves when all workers drained after the signal, or with the first fatal end. */
  readonly ended: Promise<SupervisorEnd>;
};

/** Starts one worker for each stream (for each that `wants` accepts), also for those announced later. */
export async function startWorkers(platform: Platform, signal: AbortSignal, wants: (stream: Stream) => boolean = () => true): Promise<Workers> {
  const {log, warehouse, registry, clock, rng, logger, metrics, codecOf} = platform;
  const hasher = await openRecordHasher();
  const owner = randomUUID();
  const supervisor = new Supervisor({
    streams: () => [...registry.snapshot().streams.values()].filter(wants),
    run: async (stream, hooks) => {
      const codec = await codecOf(stream.topic).catch((error: unknown) => error as Error);
      if (codec instanceof Error) return {reason: 'rebuild', error: codec};
      return runWorker({stream, log, warehouse, codec, hasher, views: name => currentViews(registry, name), clock, rng, logger, metrics, owner, ...hooks});
    },
    clock,
    rng,
    logger,
    metrics,
  });
  return {supervisor, ended: supervisor.run(signal)};
}
