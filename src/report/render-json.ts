import type {Report} from './report.ts';

/** Every digit of every number; what JSON cannot say (infinity, 64-bit integers) becomes a string. */
export function renderJson(report: Report, indent = 2): string {
  return JSON.stringify(report, replaceOddValues, indent);
}

function replaceOddValues(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value;
}
