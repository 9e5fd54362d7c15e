import {resolve} from 'node:path';
import {METRIC_CATALOGUE} from '../../src/observe/metric-catalogue.ts';

export const ROOT = resolve(import.meta.dirname, '../..');

/** Every process shows these by itself (prom-client's defaults). */
const OF_THE_PROCESS = /^(process|nodejs)_[a-z0-9_]+$/;
/** Labels that Prometheus adds, and those that group_left brings along. */
const ADDED = new Set(['instance', 'job', 'exported_job', 'le', 'version', 'role']);

const LABELS = new Map(METRIC_CATALOGUE.map(({name, labels}) => [name, labels]));

/** Metric names, and labels asked of them, that the catalogue does not have. */
export function unknownInExpression(expression: string): string[] {
  const unknown: string[] = [];
  // A histogram is asked for by its parts.
  const used = [...expression.matchAll(/\b(assay_[a-z0-9_]+?)(_bucket|_sum|_count)?\b(\{[^}]*\})?/g)].map(([, name = '', part = '', selector = '']) => ({
    name: LABELS.has(name) ? name : `${name}${part}`,
    selector,
  }));
  for (const {name, selector} of used) {
    const labels = LABELS.get(name);
    if (labels === undefined) {
      unknown.push(name);
      continue;
    }
    const asked = [...selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label);
    unknown.push(...asked.filter(label => !labels.includes(label) && !ADDED.has(label)).map(label => `${label} of ${name}`));
  }
  const all = new Set(used.flatMap(({name}) => LABELS.get(name) ?? []));
  const grouped = [...expression.matchAll(/\b(?:by|on)\s*\(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(',').map(label => label.trim()));
  const names = used.map(({name}) => name).join(', ');
  if (used.length > 0) unknown.push(...grouped.filter(label => !all.has(label) && !ADDED.has(label)).map(label => `${label} of ${names}`));
  const others = [...expression.matchAll(/\b((?:process|nodejs)_[a-z0-9_]+)\b/g)].map(([, name = '']) => name);
  return [...new Set([...unknown.filter(name => !OF_THE_PROCESS.test(name)), ...others.filter(name => !OF_THE_PROCESS.test(name))])];
}
