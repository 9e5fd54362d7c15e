import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {DataSet} from '../helpers/data.ts';

export const SERVICES = ['conv', 'code'] as const;
export type Service = (typeof SERVICES)[number];
export const SALTS = [1, 2, 3] as const;

const MEASURES = 'measures: {context_tokens: {column: ContextTokens}, generated_tokens: {column: GeneratedTokens}}';
const TIME = 'source: {format: csv}\nevent_time: {column: TIMESTAMP, format: iso}';

/** `FILE=MAP` arguments of azure-llm-2023; maps are written into `directory`. */
export class AzureMaps {
  readonly #data: DataSet;
  readonly #directory: string;

  constructor(data: DataSet, directory: string) {
    this.#data = data;
    this.#directory = directory;
  }

  /** The service as the variant, conv as control. */
  services(services: readonly Service[] = SERVICES): string[] {
    return services.map(service => this.#pair(service, `services-${service}`, `experiment: services\nvariant: {value: ${service}}\ncontrol: conv\n${MEASURES}`));
  }

  /** A/A by hash. It emits exposures alone: outcomes of a file are shared by its experiments. */
  same(salt: number): string[] {
    const hash = `{hash: {salt: azure-aa-${salt}, variants: {treatment: 5000, control: 5000}}}`;
    return SERVICES.map(service => this.#pair(service, `aa-${salt}-${service}`, `experiment: aa-${salt}\nvariant: ${hash}\ncontrol: control\nemit: [exposure]\n${MEASURES}`));
  }

  #pair(service: Service, name: string, rest: string): string {
    const map = join(this.#directory, `${name}.yaml`);
    writeFileSync(map, `${TIME}\nunit_id: {template: "${service}-\${row}"}\n${rest}\n`);
    return `${this.#data.path(`AzureLLMInferenceTrace_${service}.csv.gz`)}=${map}`;
  }
}

/** The rows of `v_windows` that a CSV of expectations speaks of. */
export function windowsSql(sizeS: number, slideS: number): string {
  return `SELECT formatDateTime(window_start, '%Y-%m-%dT%H:%i:%SZ') AS start, variant, metric, n, sum, p95, status, revision, max
    FROM v_windows(size_s=${sizeS}, slide_s=${slideS}) WHERE experiment = 'services' ORDER BY start, variant, metric`;
}

export type WindowRow = {
  readonly start: string;
  readonly variant: string;
  readonly metric: string;
  readonly n: number;
  readonly sum: number;
  readonly p95: number;
  readonly status: string;
  readonly revision: number;
};

/** What is wrong with the windows of one metric, against rows {start, service, n, sum, p95}. Empty when nothing is. */
export function windowErrors(rows: readonly WindowRow[], metric: string, expected: readonly {start: string; service: string; n: string; sum: string; p95: string | null}[]): string[] {
  const found = new Map(rows.filter(row => row.metric === metric).map(row => [`${row.start} ${row.variant}`, row]));
  const errors = found.size === expected.length ? [] : [`${found.size} windows of ${metric}, expected ${expected.length}`];
  for (const {start, service, n, sum, p95} of expected) {
    const row = found.get(`${start} ${service}`);
    if (row === undefined) errors.push(`no window ${start} ${service}`);
    else if (Number(row.n) !== Number(n) || Number(row.sum) !== Number(sum)) errors.push(`${start} ${service}: n ${row.n} sum ${row.sum}, expected ${n} and ${sum}`);
    else if (p95 !== null && Math.abs(row.p95 - Number(p95)) > 0.01 * Number(p95)) errors.push(`${start} ${service}: p95 ${row.p95}, exactly ${p95}`);
    else if (row.status !== 'closed') errors.push(`${start} ${service} is ${row.status}`);
  }
  return errors;
}

/** Both tables of expectations against a stream's windows. */
export async function azureWindowErrors(data: DataSet, query: (sql: string) => Promise<WindowRow[]>): Promise<string[]> {
  const minutes = data.csv('expected_minutes.csv');
  const sliding = data.csv('expected_sliding_300_60.csv');
  const of = (row: Record<string, string>, start: string, sum: string, p95: string | null) => ({
    start: row[start] ?? '',
    service: row['service'] ?? '',
    n: row['n'] ?? '',
    sum: row[sum] ?? '',
    p95: p95 === null ? null : (row[p95] ?? ''),
  });
  const byMinute = await query(windowsSql(60, 60));
  const bySliding = await query(windowsSql(300, 60));
  return [
    ...windowErrors(byMinute, 'generated_tokens', minutes.map(row => of(row, 'minute_start', 'generated_sum', 'generated_p95_exact'))),
    ...windowErrors(byMinute, 'context_tokens', minutes.map(row => of(row, 'minute_start', 'context_sum', null))),
    ...windowErrors(bySliding, 'generated_tokens', sliding.map(row => of(row, 'window_start', 'generated_sum', 'generated_p95_exact'))),
  ];
}
