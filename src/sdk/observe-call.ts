import type {OutcomeStatus} from '../core/events.ts';
import {type AnswerFacts, hasContent, mergeFacts, readAnswer, statusOfAnswer, statusOfError} from './llm-shapes.ts';
import {costUsd, type PriceTable} from './price-table.ts';

/** What was seen of one call. */
export type ObservedCall = {
  readonly status: OutcomeStatus;
  readonly measures: Readonly<Record<string, number>>;
  readonly model: string | undefined;
};

export type ObserveHooks = {
  /** Milliseconds that never run backwards. */
  readonly monotonicMs: () => number;
  readonly prices: PriceTable;
  /** The model that was asked for, when answers do not name theirs. */
  readonly model?: string;
  /** Called once per call. What it throws is swallowed. */
  readonly onDone: (call: ObservedCall) => void;
};

/**
 * Runs a call and tells how it went. The answer, or the error, reaches the caller
 * as it is; a stream is handed on chunk by chunk and is over when the caller has
 * read it, has stopped reading it, or it failed.
 */
export async function observeCall<T>(call: () => PromiseLike<T> | T, hooks: ObserveHooks): Promise<T> {
  const watch = new CallWatch(hooks);
  let answer: T;
  try {
    answer = await call();
  } catch (error) {
    watch.done(statusOfError(error));
    throw error;
  }
  if (answer instanceof ReadableStream) return watchReadable(answer, watch) as T;
  if (isStream(answer)) return watchStream(answer, watch);
  watch.read(answer);
  watch.done(statusOfAnswer(answer));
  return answer;
}

class CallWatch {
  readonly #hooks: ObserveHooks;
  readonly #startedMs: number;
  #firstTokenMs: number | undefined;
  #facts: AnswerFacts = {};
  #isDone = false;

  constructor(hooks: ObserveHooks) {
    this.#hooks = hooks;
    this.#startedMs = hooks.monotonicMs();
  }

  read(answer: unknown): void {
    quietly(() => {
      this.#facts = mergeFacts(this.#facts, readAnswer(answer));
    });
  }

  chunk(chunk: unknown): void {
    quietly(() => {
      if (this.#firstTokenMs === undefined && hasContent(chunk)) this.#firstTokenMs = this.#hooks.monotonicMs() - this.#startedMs;
    });
    this.read(chunk);
  }

  done(status: OutcomeStatus): void {
    if (this.#isDone) return;
    this.#isDone = true;
    quietly(() => {
      const model = this.#facts.model ?? this.#hooks.model;
      this.#hooks.onDone({status, measures: this.#measures(model), model});
    });
  }

  #measures(model: string | undefined): Record<string, number> {
    const {usage} = this.#facts;
    const measures: Record<string, number> = {latency_ms: this.#hooks.monotonicMs() - this.#startedMs};
    if (this.#firstTokenMs !== undefined) measures['ttft_ms'] = this.#firstTokenMs;
    if (usage === undefined) return measures;
    measures['tokens_in'] = usage.input;
    measures['tokens_out'] = usage.output;
    measures['tokens_cached'] = usage.cached;
    const cost = model === undefined ? undefined : costUsd(this.#hooks.prices, model, usage);
    if (cost !== undefined) measures['cost_usd'] = cost;
    return measures;
  }
}

const isStream = (answer: unknown): answer is AsyncIterable<unknown> & object =>
  typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer;

/** A stream of its own: readers, `tee`, `pipeTo` and `new Response` take what nobody can stand in front of. */
function watchReadable(stream: ReadableStream<unknown>, watch: CallWatch): ReadableStream<unknown> {
  const reader = stream.getReader();
  return new ReadableStream<unknown>(
    {
      async pull(controller) {
        try {
          const step = await reader.read();
          if (step.done) {
            watch.done('ok');
            controller.close();
            return;
          }
          watch.chunk(step.value);
          controller.enqueue(step.value);
        } catch (error) {
          watch.done(statusOfError(error));
          throw error;
        }
      },
      async cancel(reason) {
        watch.done('ok');
        await reader.cancel(reason);
      },
    },
    // Nothing is read before the caller reads.
    {highWaterMark: 0},
  );
}

/** How clients hand their stream on: by methods that read it through its own iterator. */
const HANDING_ON: ReadonlySet<PropertyKey> = new Set(['tee', 'toReadableStream']);

/** The same object but for its iterator, so that a client's own methods (abort, tee, …) stay. */
function watchStream<T extends AsyncIterable<unknown> & object>(stream: T, watch: CallWatch): T {
  const watched: T = new Proxy(stream, {
    get(target, name) {
      if (name === Symbol.asyncIterator) return () => watchIterator(target[Symbol.asyncIterator](), watch);
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name === 'iterator') return () => watchIterator(value.call(target) as AsyncIterator<unknown>, watch);
      // Private fields of the client's class are only found on the object itself.
      return HANDING_ON.has(name) ? (...given: unknown[]) => handOn({target, watched}, value as Method, given) : value.bind(target);
    },
  });
  return watched;
}

type Method = (this: unknown, ...given: unknown[]) => unknown;

function handOn({target, watched}: {readonly target: unknown; readonly watched: unknown}, method: Method, given: unknown[]): unknown {
  try {
    return method.apply(watched, given);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return method.apply(target, given);
  }
}

async function* watchIterator(iterator: AsyncIterator<unknown>, watch: CallWatch): AsyncGenerator<unknown> {
  let isOver = false;
  try {
    for (;;) {
      const step = await iterator.next();
      if (step.done === true) {
        isOver = true;
        watch.done('ok');
        return;
      }
      watch.chunk(step.value);
      yield step.value;
    }
  } catch (error) {
    isOver = true;
    watch.done(statusOfError(error));
    throw error;
  } finally {
    if (!isOver) {
      // The reader stopped early: that is its choice, not a failure.
      watch.done('ok');
      await iterator.return?.();
    }
  }
}

function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // Measuring must never disturb what is measured.
  }
}
