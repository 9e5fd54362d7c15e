import {Counter, collectDefaultMetrics, Gauge, Histogram, Registry} from 'prom-client';
import type {Labels, Metrics} from '../core/telemetry.ts';
import {METRIC_CATALOGUE} from './metric-catalogue.ts';

/** Metrics kept in this process and shown at `/metrics`. */
export type ShownMetrics = Metrics & {
  /** Prometheus text format. */
  render(): Promise<string>;
  readonly contentType: string;
  /** Current value of a gauge or counter summed over its labels; 0 when it was never set. */
  total(name: string): Promise<number>;
  /** Whether this process ever set it. */
  has(name: string): boolean;
};

type Instrument = Counter | Gauge | Histogram;

const SECONDS_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const ROW_BY_NAME = new Map(METRIC_CATALOGUE.map(row => [row.name, row]));

/** One registry per process; instruments appear on first use, with the text and labels of the catalogue. */
export function openMetrics(withDefaults = true): ShownMetrics {
  const registry = new Registry();
  if (withDefaults) collectDefaultMetrics({register: registry});
  const byName = new Map<string, Instrument>();

  const get = <T extends Instrument>(name: string, labels: Labels | undefined, make: (labelNames: string[]) => T): T => {
    const known = byName.get(name);
    if (known !== undefined) return known as T;
    const made = make([...(ROW_BY_NAME.get(name)?.labels ?? Object.keys(labels ?? {}))]);
    byName.set(name, made);
    return made;
  };
  const help = (name: string): string => ROW_BY_NAME.get(name)?.help ?? name;

  return {
    count: (name, by = 1, labels) => {
      get(name, labels, labelNames => new Counter({name, help: help(name), labelNames, registers: [registry]})).inc({...labels}, by);
    },
    gauge: (name, value, labels) => {
      get(name, labels, labelNames => new Gauge({name, help: help(name), labelNames, registers: [registry]})).set({...labels}, value);
    },
    observe: (name, value, labels) => {
      get(name, labels, labelNames => new Histogram({name, help: help(name), labelNames, buckets: SECONDS_BUCKETS, registers: [registry]})).observe({...labels}, value);
    },
    render: () => registry.metrics(),
    contentType: registry.contentType,
    has: name => byName.has(name),
    total: async name => {
      const instrument = byName.get(name);
      if (instrument === undefined) return 0;
      const {values} = await instrument.get();
      return values.reduce((sum, {value}) => sum + value, 0);
    },
  };
}
