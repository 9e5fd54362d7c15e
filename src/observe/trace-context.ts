import {AsyncLocalStorage} from 'node:async_hooks';
import {parseTraceparent} from '../core/tracing.ts';

const current = new AsyncLocalStorage<string>();

/** Runs `work`, and all that it starts, as part of the caller's trace: log lines name it. */
export function runWithTrace<Result>(traceparent: string | readonly string[] | undefined, work: () => Result): Result {
  const id = typeof traceparent === 'string' ? parseTraceparent(traceparent)?.traceId : undefined;
  return id === undefined ? work() : current.run(id, work);
}

/** The trace that the present work belongs to; undefined when it belongs to none. */
export const currentTraceId = (): string | undefined => current.getStore();
