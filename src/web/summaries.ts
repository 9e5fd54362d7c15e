import {z} from 'zod';
import type {Decision} from '../core/verdict.ts';
import {URGENCY} from '../report/build-experiment.ts';
import {loadQuery} from '../warehouse/clickhouse/query-file.ts';
import type {ReadStore} from '../warehouse/warehouse.ts';

const DECISIONS = ['ship', 'roll_back', 'keep_running', 'inconclusive', 'unhealthy', 'no_data'] as const;

/** One line of a list: what the newest verdict rows of an experiment say. */
export const SUMMARY = z.object({
  decision: z.enum(DECISIONS).describe('The most urgent of its treatments.'),
  treatments: z.array(z.object({variant: z.string(), decision: z.enum(DECISIONS), reasons: z.array(z.string())})),
  health: z.enum(['healthy', 'unhealthy', 'not-checked']),
  units: z.number().describe('Units (paired: items) counted, in all variants.'),
  outcomes_late: z.number(),
  data_to: z.string().nullable().describe('Data through: the last outcome counted.'),
  analysed_at: z.string(),
});
export type ExperimentSummary = z.infer<typeof SUMMARY>;

type Row = {
  readonly experiment: string;
  readonly variant: string;
  readonly decision: Decision;
  readonly reasons: readonly string[];
  readonly is_unhealthy: number;
  readonly is_checked: number;
  readonly units: number;
  readonly outcomes_late: number;
  readonly data_to: string;
  readonly analysed_at: string;
};

const ROWS_MAX = 50_000;

/** By experiment; those without a verdict are not in it. */
export async function readSummaries({warehouse}: {readonly warehouse: ReadStore}, stream: string): Promise<ReadonlyMap<string, ExperimentSummary>> {
  const rows = (await warehouse.query(loadQuery('experiment-summaries'), {parameters: {stream}, rowsMax: ROWS_MAX})) as unknown as Row[];
  const byExperiment = new Map<string, Row[]>();
  for (const row of rows) byExperiment.set(row.experiment, [...(byExperiment.get(row.experiment) ?? []), row]);
  return new Map([...byExperiment].map(([experiment, of]) => [experiment, summaryOf(of)]));
}

function summaryOf(rows: readonly Row[]): ExperimentSummary {
  // The newest row of a treatment comes first; its decision is the same on all of one analysis.
  const newest = new Map(rows.toReversed().map(row => [row.variant, row]));
  const treatments = [...newest.values()].map(({variant, decision, reasons}) => ({variant, decision, reasons: [...reasons]})).sort((a, b) => (a.variant < b.variant ? -1 : 1));
  const [worst] = treatments.map(({decision}) => decision).sort((a, b) => URGENCY.indexOf(a) - URGENCY.indexOf(b));
  const isUnhealthy = rows.some(row => Number(row.is_unhealthy) === 1);
  const largest = <Key extends 'data_to' | 'analysed_at'>(key: Key): string => rows.map(row => row[key]).sort().at(-1) ?? '';
  return {
    decision: worst ?? 'no_data',
    treatments,
    health: isUnhealthy ? 'unhealthy' : rows.some(row => Number(row.is_checked) === 1) ? 'healthy' : 'not-checked',
    units: Math.max(...rows.map(row => Number(row.units))),
    outcomes_late: Math.max(...rows.map(row => Number(row.outcomes_late))),
    data_to: largest('data_to') === '' ? null : largest('data_to'),
    analysed_at: largest('analysed_at'),
  };
}
