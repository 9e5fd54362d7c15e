import {describe, expect, test} from 'vitest';
import {costUsd} from '../../src/sdk/price-table.ts';
import {openTestTracker} from './fixtures.ts';

const PRICES = {'gpt-x': {input: 2, output: 8, cached: 0.5}, 'gpt-x-mini': {input: 1, output: 2}};

function open() {
  let now = 0;
  const made = openTestTracker({prices: PRICES, monotonicMs: () => now});
  const outcome = async () => {
    await made.tracker.flush();
    expect(made.transport.events).toHaveLength(1);
    return made.transport.events[0];
  };
  return {...made, outcome, pass: (ms: number): void => {
    now += ms;
  }};
}

describe('a whole answer', () => {
  test.each([
    ['chat completions', {model: 'gpt-x-2026', usage: {prompt_tokens: 1_000, completion_tokens: 100, prompt_tokens_details: {cached_tokens: 400}}}, {tokens_in: 1_000, tokens_out: 100, tokens_cached: 400, cost_usd: (600 * 2 + 400 * 0.5 + 100 * 8) / 1e6}],
    ['responses', {model: 'gpt-x', usage: {input_tokens: 10, output_tokens: 5, input_tokens_details: {cached_tokens: 0}}}, {tokens_in: 10, tokens_out: 5, tokens_cached: 0, cost_usd: (10 * 2 + 5 * 8) / 1e6}],
    ['a model without a price', {model: 'unheard-of', usage: {prompt_tokens: 1, completion_tokens: 2}}, {tokens_in: 1, tokens_out: 2, tokens_cached: 0}],
    ['no usage', {text: 'hello'}, {}],
    ['nonsense', {usage: {prompt_tokens: 'many'}}, {}],
  ])('%s', async (_, answer, measures) => {
    const {tracker, outcome, pass} = open();
    const got = await tracker.observe({unitId: 'u', measures: {score: 1}}, async () => {
      pass(120);
      return answer;
    });
    expect(got).toBe(answer);
    expect(await outcome()).toMatchObject({status: 'ok', measures: {latency_ms: 120, score: 1, ...measures}});
    expect(Object.keys((await outcome() as {measures: object}).measures).sort()).toEqual(['latency_ms', 'score', ...Object.keys(measures)].sort());
  });

  test.each([
    ['client_error', {status: 429}],
    ['client_error', {status: 404}],
    ['server_error', {status: 500}],
    ['server_error', {statusCode: 503}],
    ['timeout', {status: 504}],
    ['timeout', {name: 'TimeoutError'}],
    ['timeout', {name: 'AbortError'}],
    ['timeout', {code: 'ETIMEDOUT'}],
    ['timeout', {cause: {code: 'UND_ERR_HEADERS_TIMEOUT'}}],
    ['server_error', {code: 'ECONNREFUSED'}],
  ])('%s for %j, and the error itself reaches the caller', async (status, about) => {
    const {tracker, outcome, pass} = open();
    const error = Object.assign(new Error('no'), about);
    await expect(tracker.observe({unitId: 'u', model: 'gpt-x'}, () => {
      pass(5);
      throw error;
    })).rejects.toBe(error);
    expect(await outcome()).toMatchObject({status, measures: {latency_ms: 5}, attributes: {model: 'gpt-x'}});
  });

  test('a fetch response that failed is classed by its status', async () => {
    const {tracker, outcome} = open();
    await tracker.observe({unitId: 'u'}, async () => new Response('', {status: 502}));
    expect(await outcome()).toMatchObject({status: 'server_error'});
  });
});

class Stream {
  readonly #chunks: readonly unknown[];
  readonly #pass: (ms: number) => void;
  readonly controller = {isAborted: false};

  constructor(chunks: readonly unknown[], pass: (ms: number) => void) {
    this.#chunks = chunks;
    this.#pass = pass;
  }

  get size(): number {
    return this.#chunks.length;
  }

  abort(): number {
    this.controller.isAborted = true;
    return this.#chunks.length;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown> {
    for (const chunk of this.#chunks) {
      this.#pass(10);
      if (chunk instanceof Error) throw chunk;
      yield chunk;
    }
  }
}

const text = (content: string) => ({model: 'gpt-x', choices: [{delta: {content}}]});

describe('a stream', () => {
  test('time to first token is that of the first text; usage comes with the last chunk; the client’s own members stay', async () => {
    const {tracker, outcome, pass} = open();
    const chunks = [{model: 'gpt-x', choices: [{delta: {role: 'assistant', content: ''}}]}, text('Hel'), text('lo'), {model: 'gpt-x', choices: [], usage: {prompt_tokens: 9, completion_tokens: 2}}];
    const stream = await tracker.observe({unitId: 'u'}, async () => new Stream(chunks, pass));
    expect([stream.size, stream.abort(), stream.controller.isAborted]).toEqual([4, 4, true]);
    const seen: unknown[] = [];
    for await (const chunk of stream) seen.push(chunk);
    expect(seen).toEqual(chunks);
    expect(await outcome()).toMatchObject({status: 'ok', measures: {latency_ms: 40, ttft_ms: 20, tokens_in: 9, tokens_out: 2, cost_usd: (9 * 2 + 2 * 8) / 1e6}});
  });

  test('the responses API nests the answer in its last event', async () => {
    const {tracker, outcome, pass} = open();
    const chunks = [{type: 'response.created', response: {model: 'gpt-x'}}, {type: 'response.output_text.delta', delta: 'Hi'}, {type: 'response.completed', response: {model: 'gpt-x', usage: {input_tokens: 3, output_tokens: 1}}}];
    for await (const _ of await tracker.observe({unitId: 'u'}, () => new Stream(chunks, pass)));
    expect(await outcome()).toMatchObject({measures: {ttft_ms: 20, tokens_in: 3, tokens_out: 1}, attributes: {model: 'gpt-x'}});
  });

  test('one that fails is a failure, and the reader gets the error', async () => {
    const {tracker, outcome, pass} = open();
    const error = Object.assign(new Error('gone'), {status: 500});
    const stream = await tracker.observe({unitId: 'u'}, () => new Stream([text('a'), error], pass));
    await expect((async () => {
      for await (const _ of stream);
    })()).rejects.toBe(error);
    expect(await outcome()).toMatchObject({status: 'server_error', measures: {ttft_ms: 10}});
  });

  test('one whose reader stops early is over then, once', async () => {
    const {tracker, outcome, pass} = open();
    for await (const _ of await tracker.observe({unitId: 'u'}, () => new Stream([text('a'), text('b')], pass))) break;
    expect(await outcome()).toMatchObject({status: 'ok', measures: {latency_ms: 10}});
  });

  describe('that is not read by for await', () => {
    const usage = {choices: [], model: 'gpt-x', usage: {prompt_tokens: 100, completion_tokens: 20}};
    const readable = (pass: (ms: number) => void, chunks: readonly unknown[] = [text('a'), usage]) => {
      let at = 0;
      return new ReadableStream<unknown>({
        pull: controller => {
          pass(10);
          if (at === chunks.length) controller.close();
          else controller.enqueue(chunks[at++]);
        },
      }, {highWaterMark: 0});
    };
    const drain = async (stream: ReadableStream<unknown>): Promise<unknown[]> => {
      const [reader, seen] = [stream.getReader(), [] as unknown[]];
      for (let step = await reader.read(); !step.done; step = await reader.read()) seen.push(step.value);
      return seen;
    };

    test('a web stream by its reader, also after tee', async () => {
      const {tracker, outcome, pass} = open();
      const [one, other] = (await tracker.observe({unitId: 'u'}, () => readable(pass))).tee();
      expect(await Promise.all([drain(one), drain(other)])).toEqual([[text('a'), usage], [text('a'), usage]]);
      expect(await outcome()).toMatchObject({status: 'ok', measures: {ttft_ms: 10, latency_ms: 30, tokens_in: 100, tokens_out: 20}});
    });

    test('a web stream as the body of a response, and one that is given up', async () => {
      const {tracker, outcome, pass} = open();
      const bytes = ['a', 'b'].map(letter => new TextEncoder().encode(letter));
      expect(await new Response(await tracker.observe({unitId: 'u'}, () => readable(pass, bytes)) as ReadableStream<Uint8Array>).text()).toBe('ab');
      expect(await outcome()).toMatchObject({status: 'ok', measures: {ttft_ms: 10, latency_ms: 30}});
      const given = open();
      let cancelled: unknown;
      const stream = await given.tracker.observe({unitId: 'u'}, () => new ReadableStream({cancel: reason => { cancelled = reason; }}, {highWaterMark: 0}));
      await stream.cancel('enough');
      expect(cancelled).toBe('enough');
      expect(await given.outcome()).toMatchObject({status: 'ok'});
    });

    test('a web stream that fails', async () => {
      const {tracker, outcome} = open();
      const stream = await tracker.observe({unitId: 'u'}, () => new ReadableStream({pull: () => Promise.reject(Object.assign(new Error('busy'), {status: 429}))}, {highWaterMark: 0}));
      await expect(drain(stream)).rejects.toThrow('busy');
      expect(await outcome()).toMatchObject({status: 'client_error'});
    });

    /** As clients have it: methods that read the stream through its own iterator. */
    class ClientStream {
      readonly #secret = 7;
      readonly iterator: () => AsyncIterator<unknown>;
      constructor(iterator: () => AsyncIterator<unknown>) {
        this.iterator = iterator;
      }
      [Symbol.asyncIterator](): AsyncIterator<unknown> {
        return this.iterator();
      }
      tee(): ClientStream[] {
        const iterator = this.iterator();
        return [new ClientStream(() => iterator)];
      }
      toReadableStream(): ReadableStream<unknown> {
        const iterator = this[Symbol.asyncIterator]();
        return new ReadableStream({
          pull: async controller => {
            const {value, done} = await iterator.next();
            if (done === true) controller.close();
            else controller.enqueue(value);
          },
        });
      }
      secret(): number {
        return this.#secret;
      }
    }
    async function* chunks() {
      yield text('a');
      yield usage;
    }

    test.each([
      ['tee', async (stream: ClientStream) => { for await (const _ of stream.tee()[0] as ClientStream); }],
      ['toReadableStream', async (stream: ClientStream) => { await drain(stream.toReadableStream()); }],
    ])('a client’s stream handed on by %s', async (_, read) => {
      const {tracker, outcome} = open();
      const stream = await tracker.observe({unitId: 'u'}, () => new ClientStream(chunks));
      expect(stream.secret()).toBe(7);
      await read(stream);
      expect(await outcome()).toMatchObject({status: 'ok', measures: {tokens_in: 100, tokens_out: 20}});
    });
  });

  test('the context of the call counts, wherever the stream is read', async () => {
    const {tracker, outcome, pass} = open();
    const stream = await tracker.run({unitId: 'asker', region: 'eu'}, () => tracker.observe({}, () => new Stream([text('a')], pass)));
    await tracker.run({unitId: 'reader'}, async () => {
      for await (const _ of stream);
    });
    expect(await outcome()).toMatchObject({unitId: 'asker', attributes: {region: 'eu'}});
  });
});

test('the price is that of the longest name the model begins with; without one the cost is unknown', () => {
  const usage = {input: 1e6, output: 0, cached: 0};
  expect([costUsd(PRICES, 'gpt-x-mini-2', usage), costUsd(PRICES, 'gpt-x-large', usage), costUsd(PRICES, 'other', usage)]).toEqual([1, 2, undefined]);
});
