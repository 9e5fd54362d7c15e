import {createHmac, timingSafeEqual} from 'node:crypto';
import type {Language} from '../config/webhooks.ts';
import type {Report} from '../report/report.ts';

export type ChartLink = {
  readonly url: string;
  /** Whoever has the address gets the picture: a chat service fetches it without an API key. */
  readonly isPublic: boolean;
};

export type ChartLinkOptions = {
  /** Address of the server; '' for none. */
  readonly publicUrl: string;
  /** Signs addresses that need no key; '' for none. */
  readonly secret: string;
  readonly language: Language;
};

/** Where the chart of a report's most urgent experiment is; null without a public address or a verdict. */
export function chartLink({experiments: [first]}: Report, {publicUrl, secret, language}: ChartLinkOptions): ChartLink | null {
  const id = first?.metrics[0]?.rows[0]?.verdict.verdict_id;
  if (publicUrl === '' || id === undefined) return null;
  const base = publicUrl.replace(/\/+$/, '');
  const file = `${encodeURIComponent(id)}.png`;
  const query = language === 'en' ? '' : `language=${language}`;
  if (secret === '') return {url: `${base}/v1/reports/${file}${query === '' ? '' : `?${query}`}`, isPublic: false};
  return {url: `${base}/v1/charts/${file}?${query === '' ? '' : `${query}&`}signature=${chartSignature(secret, id)}`, isPublic: true};
}

/** Of one verdict's chart: it opens nothing else. */
export const chartSignature = (secret: string, verdictId: string): string => createHmac('sha256', secret).update(`assay chart ${verdictId}`).digest('base64url');

export function isChartSignature(given: string, {secret, verdictId}: {readonly secret: string; readonly verdictId: string}): boolean {
  const expected = Buffer.from(chartSignature(secret, verdictId));
  const actual = Buffer.from(given);
  return secret !== '' && actual.length === expected.length && timingSafeEqual(actual, expected);
}
