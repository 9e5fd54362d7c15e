import {epochMs} from '../../src/core/units.ts';
import type {Rule} from '../../src/guard/rules.ts';
import type {WindowRow} from '../../src/warehouse/warehouse.ts';

export function makeRule(over: Partial<Rule> = {}): Rule {
  return {
    name: 'errors',
    kind: 'window',
    experiment: '*',
    variants: null,
    metric: 'error_rate',
    statistic: 'mean',
    windowMs: 60_000,
    above: 0.3,
    below: null,
    minN: 50,
    forMs: 0,
    severity: 'warning',
    action: 'alert',
    ...over,
  };
}

export function makeWindow(over: Partial<WindowRow> = {}): WindowRow {
  return {
    stream: 'live',
    experiment: 'answers',
    phase: 1,
    variant: 'b',
    metric: 'error_rate',
    window_start: epochMs(940_000),
    window_end: epochMs(1_000_000),
    n: 100,
    estimated_n: over.n ?? 100,
    sum: 10,
    mean: 0.1,
    sd: 0.3,
    min: 0,
    max: 1,
    p50: 0,
    p95: 1,
    p99: 1,
    status: 'provisional',
    revision: 0,
    ...over,
  };
}
