/** What the server answers, as far as the pages look at it. */
import type {Decision} from '../core/verdict.ts';
import type {Report} from '../report/report.ts';

export type ExperimentSummary = {
  readonly decision: Decision;
  readonly treatments: readonly {readonly variant: string; readonly decision: Decision}[];
  readonly health: 'healthy' | 'unhealthy' | 'not-checked';
  readonly units: number;
  readonly data_to: string | null;
};

export type Listed = {
  readonly experiment: string;
  readonly version: number;
  readonly phase: number;
  readonly lifecycle: Lifecycle;
  readonly valid_from: string | null;
  readonly author: string;
  readonly reason: string;
  readonly weights: Readonly<Record<string, number>>;
  readonly design: string;
  readonly owner: string;
  readonly hypothesis: string;
  readonly control: string;
  readonly results: ExperimentSummary | null;
};
export type Lifecycle = 'draft' | 'running' | 'paused' | 'concluded' | 'archived';
export type Version = Omit<Listed, 'results' | 'design' | 'owner' | 'hypothesis' | 'control'> & {readonly definition: Definition};
export type Definition = {
  readonly hypothesis: string;
  readonly owner: string;
  readonly design: string;
  readonly unit: string;
  readonly control: string;
  readonly metrics: readonly {readonly key: string; readonly aggregate: string}[];
};
export type Me = {readonly name: string; readonly role: 'ingest' | 'viewer' | 'editor' | 'admin'; readonly key_id: string | null};
export type StreamInfo = {readonly name: string; readonly kind: string; readonly slice_ms: number};
export type WindowRow = {
  readonly phase: number;
  readonly variant: string;
  readonly metric: string;
  readonly window_end: string;
  readonly n: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly sum: number;
  readonly status: 'provisional' | 'closed';
};
export type TrendPoint = {
  readonly analysed_ms: number;
  readonly data_to: string;
  readonly phase: number;
  readonly decision: string;
  readonly effect: number | null;
  readonly cs_low: number | null;
  readonly cs_high: number | null;
};
export type Alert = {
  readonly alert_id: string;
  readonly rule: string;
  readonly experiment: string;
  readonly variant: string;
  readonly state: 'pending' | 'firing' | 'resolved';
  readonly severity: string;
  readonly value: number | null;
  readonly threshold: number | null;
  readonly reason: string;
  readonly changed_at: string;
};
export type Delivery = {
  readonly delivery_id: string;
  readonly channel: string;
  readonly subject: string;
  readonly state: 'due' | 'delivered' | 'failed' | 'disabled';
  readonly attempt: number;
  readonly created_at: string;
  readonly changed_at: string;
  readonly last_status: number | null;
  readonly last_error: string;
};
export type {Report};

/** What went wrong, in the server's words. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

type Query = Readonly<Record<string, string | number | undefined>>;

export const addressOf = (path: string, query: Query = {}): string => {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, String(value)]]));
  const search = new URLSearchParams(given).toString();
  return search === '' ? path : `${path}?${search}`;
};

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return answerOf<T>(await fetch(addressOf(path, query), signal === undefined ? {} : {signal}));
}

export async function send<T>(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
  const content = body === undefined ? {} : {body: JSON.stringify(body), headers: {'content-type': 'application/json'}};
  return answerOf<T>(await fetch(path, {method, ...content}));
}

async function answerOf<T>(response: Response): Promise<T> {
  const text = await response.text();
  if (response.ok) return (text === '' ? null : JSON.parse(text)) as T;
  throw new ApiError(response.status, detailOf(text) ?? `${response.status} ${response.statusText}`);
}

function detailOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as {detail?: string}).detail;
  } catch {
    return undefined;
  }
}

export const experimentPath = (experiment: string): string => `/v1/experiments/${encodeURIComponent(experiment)}`;
