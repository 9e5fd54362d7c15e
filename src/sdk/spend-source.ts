import type {EpochMs} from '../core/units.ts';
import {bearer} from './http-transport.ts';

/** What several processes have spent together is asked of the platform, which has the outcomes of all. */
export type SpendAsk = {
  readonly per: 'unit' | 'all' | {readonly attribute: string};
  readonly measure: string;
  readonly windowMs: number;
  readonly windowStart: EpochMs;
  readonly keys: readonly string[];
};

export type SpendAnswer = {
  /** Outcomes that arrived up to here are in the sums; null while the platform has none. */
  readonly cut: EpochMs | null;
  /** Of each ask, by key; a key without spending is left out. */
  readonly sums: readonly Readonly<Record<string, number>>[];
};

export interface SpendSource {
  ask(asks: readonly SpendAsk[], signal: AbortSignal): Promise<SpendAnswer>;
}

export type HttpSpendOptions = {
  /** Of the Assay server. */
  readonly url: string;
  /** Of the role `viewer`: what was spent is a measured number. */
  readonly apiKey?: string;
  readonly requestMsMax: number;
  readonly fetch?: typeof fetch;
};

type AnswerDocument = {readonly cut_ms?: unknown; readonly sums?: unknown};

export class HttpSpendSource implements SpendSource {
  readonly #options: HttpSpendOptions;

  constructor(options: HttpSpendOptions) {
    this.#options = options;
  }

  async ask(asks: readonly SpendAsk[], signal: AbortSignal): Promise<SpendAnswer> {
    const {url, apiKey, requestMsMax, fetch: post = fetch} = this.#options;
    const response = await post(new URL('/v1/spend', url), {
      method: 'POST',
      headers: {'content-type': 'application/json', ...bearer(apiKey)},
      body: JSON.stringify({asks: asks.map(({per, measure, windowMs, windowStart, keys}) => ({per, measure, window_ms: windowMs, window_start_ms: windowStart, keys}))}),
      signal: AbortSignal.any([signal, AbortSignal.timeout(requestMsMax)]),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`the server answered ${response.status}${response.status === 403 ? ': give budgetServer a key of the role viewer' : ''}`);
    const {cut_ms: cut, sums} = JSON.parse(text) as AnswerDocument;
    if (!Array.isArray(sums) || sums.length !== asks.length || (cut !== null && typeof cut !== 'number')) throw new Error('the answer is no spending');
    return {cut: cut as EpochMs | null, sums: sums as SpendAnswer['sums']};
  }
}
