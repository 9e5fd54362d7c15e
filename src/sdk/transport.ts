import type {Event} from '../core/events.ts';

/** An event on its way and the context that travels beside it. */
export type QueuedEvent = {readonly event: Event; readonly headers: Readonly<Record<string, string>>};

/** What became of a batch. Refused events would be refused again; the rest is durable. */
export type SendResult = {readonly refused: number; readonly reason?: string};

/**
 * The port to whatever takes events: a log, an HTTP server, a process. Each send
 * may happen twice (an answer can get lost); event ids make that harmless.
 */
export interface Transport {
  /**
   * Resolves once the batch is durable, the refused ones aside. Rejects with
   * anything when it should be tried again; with a {@link BusyError} not before
   * the time it names.
   */
  send(batch: readonly QueuedEvent[], signal: AbortSignal): Promise<SendResult>;
  close(): Promise<void>;
}

export class BusyError extends Error {
  override readonly name = 'BusyError';
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}
