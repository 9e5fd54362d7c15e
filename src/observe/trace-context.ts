import {AsyncLocalStorage} from 'node:async_hooks';

/** W3C trace context: version, trace id, parent id, flags. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;
const NO_TRACE = '0'.repeat(32);

const current = new AsyncLocalStorage<string>();

/** Runs `work`, and all that it starts, as part of the caller's trace: log lines name it. */
export function runWithTrace<Result>(traceparent: string | readonly string[] | undefined, work: () => Result): Result {
  const [, id] = TRACEPARENT.exec(typeof traceparent === 'string' ? traceparent : '') ?? [];
  return id === undefined || id === NO_TRACE ? work() : current.run(id, work);
}

/** The trace that the present work belongs to; undefined when it belongs to none. */
export const currentTraceId = (): string | undefined => current.getStore();
