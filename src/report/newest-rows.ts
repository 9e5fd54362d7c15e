import type {Verdict} from '../core/verdict.ts';

/** The rows of one experiment that a report speaks of. */
export type ExperimentRows = {
  readonly stream: string;
  readonly experiment: string;
  /** Never empty: one row per metric × treatment, all of a treatment under one cut. */
  readonly rows: readonly [Verdict, ...Verdict[]];
  readonly supersededRows: number;
};

/**
 * Groups rows by stream and experiment and keeps, for each treatment, those of its
 * newest analysis, so that a metric that was taken out of the definition and its last
 * row do not linger. Order of first appearance is kept.
 */
export function newestRows(verdicts: readonly Verdict[]): ExperimentRows[] {
  const byExperiment = groupBy(verdicts, verdict => JSON.stringify([verdict.stream, verdict.experiment]));
  return byExperiment.flatMap(all => {
    const rows = groupBy(all, verdict => verdict.variant).flatMap(newestOfTreatment);
    const [first, ...rest] = rows;
    if (first === undefined) return [];
    return [{stream: first.stream, experiment: first.experiment, rows: [first, ...rest], supersededRows: all.length - rows.length}];
  });
}

function newestOfTreatment(rows: readonly Verdict[]): Verdict[] {
  const newest = rows.reduce((best, row) => (isNewer(row, best) ? row : best));
  const ofAnalysis = rows.filter(row => row.cut.arrival_ts === newest.cut.arrival_ts && row.phase === newest.phase);
  return groupBy(ofAnalysis, row => row.metric).map(sameMetric =>
    sameMetric.reduce((best, row) => (row.created_at > best.created_at ? row : best)),
  );
}

const isNewer = (a: Verdict, b: Verdict): boolean =>
  a.created_at === b.created_at ? a.cut.arrival_ts > b.cut.arrival_ts : a.created_at > b.created_at;

export function groupBy<Value>(values: readonly Value[], keyOf: (value: Value) => string): Value[][] {
  const groups = new Map<string, Value[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return [...groups.values()];
}
