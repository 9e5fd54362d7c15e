import {BusyError, type QueuedEvent, type SendResult, type Transport} from './transport.ts';
import {toWire} from './wire-event.ts';

export type HttpTransportOptions = {
  /** Of the Assay server: https://assay.example. */
  readonly url: string;
  readonly apiKey?: string;
  readonly requestMsMax: number;
  readonly fetch?: typeof fetch;
};

type Answer = {readonly accepted?: number; readonly errors?: readonly {readonly index: number; readonly field: string; readonly message: string}[]};

/** Posts events as NDJSON. What the server names as wrong is refused for good; anything else is tried again. */
export class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
  }

  async send(batch: readonly QueuedEvent[], signal: AbortSignal): Promise<SendResult> {
    const {requestMsMax, fetch: post = fetch} = this.#options;
    const response = await post(new URL('/v1/events', this.#options.url), {
      method: 'POST',
      headers: {'content-type': 'application/x-ndjson', ...bearer(this.#options.apiKey)},
      body: batch.map(({event}) => `${JSON.stringify(toWire(event))}\n`).join(''),
      signal: AbortSignal.any([signal, AbortSignal.timeout(requestMsMax)]),
    });
    const text = await response.text();
    if (response.status === 429 || response.status === 503) throw new BusyError('the server is busy', retryAfterMs(response));
    // 400 lists the wrong events; all others of the batch are durable (202) or all are wrong.
    if (response.status === 202 || response.status === 400) return resultOf(text, batch.length, response.status);
    throw new Error(`the server answered ${response.status}`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export const bearer = (apiKey: string | undefined): Record<string, string> => (apiKey === undefined ? {} : {authorization: `Bearer ${apiKey}`});

function resultOf(text: string, size: number, status: number): SendResult {
  const {errors} = JSON.parse(text) as Answer;
  if (errors === undefined) {
    if (status === 202) return {refused: 0};
    throw new Error('the server could not read the batch');
  }
  const [first] = errors;
  const refused = Math.min(size, new Set(errors.map(({index}) => index)).size);
  return {refused, ...(first === undefined ? {} : {reason: `${first.field}: ${first.message}`})};
}

function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get('retry-after'));
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1_000 : 0;
}
