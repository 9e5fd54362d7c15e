import type {Aggregate, ExperimentVersion} from '../core/experiment.ts';
import type {Stream} from '../core/streams.ts';
import {type EpochMs, epochMs} from '../core/units.ts';
import type {Verdict, WindowsAround} from '../core/verdict.ts';
import type {ClosingStore, ReadStore, WindowRow} from '../warehouse/warehouse.ts';

/** The newest changes shown: a reader looks for what happened last. */
const CHANGES_MAX = 3;
/** On each side of a change. */
const WINDOWS_A_SIDE = 8;
const REASON_CHARS_MAX = 200;
/** Lengths of a window, tried from the longest on, until eight of them fit between the change and the end of the data. */
const WINDOW_MS: readonly number[] = [3_600_000, 1_800_000, 600_000, 300_000, 60_000, 30_000, 10_000];

export type AroundRequest = {
  readonly warehouse: Pick<ReadStore, 'windows'> & Pick<ClosingStore, 'closingState'>;
  readonly stream: Pick<Stream, 'name' | 'sliceMs'>;
  /** The experiment's accepted versions, oldest first. */
  readonly history: readonly ExperimentVersion[];
};

type Change = {readonly version: ExperimentVersion; readonly startsPhase: boolean; readonly windowMs: number};

/**
 * The rows with what each metric did before and after the last changes of its experiment.
 * Only closed windows are read, which later analyses find unchanged unless late outcomes revise them.
 */
export async function addWindowsAround(verdicts: readonly Verdict[], {warehouse, stream, history}: AroundRequest): Promise<Verdict[]> {
  const experiment = verdicts[0]?.experiment;
  const {closedThrough} = await warehouse.closingState(stream.name);
  if (experiment === undefined || closedThrough === null) return [...verdicts];
  const read: {change: Change; rows: WindowRow[]}[] = [];
  for (const change of changesOf(history, {closedThrough, sliceMs: stream.sliceMs})) {
    const {version: {validFrom}, windowMs} = change;
    const reach = WINDOWS_A_SIDE * windowMs;
    const to = epochMs(Math.min(validFrom + reach, closedThrough));
    const rows = await warehouse.windows({stream: stream.name, experiment, sizeMs: windowMs, slideMs: windowMs, from: epochMs(validFrom - reach), to});
    read.push({change, rows: rows.filter(({status, n}) => status === 'closed' && n > 0)});
  }
  return verdicts.map(verdict => ({...verdict, windows_around: read.flatMap(({change, rows}) => aroundOf(verdict, change, rows))}));
}

/** Oldest first. An experiment's first version and an import's draft change nothing that ran before. */
export function changesOf(history: readonly ExperimentVersion[], {closedThrough, sliceMs}: {readonly closedThrough: EpochMs; readonly sliceMs: number}): Change[] {
  return history
    .flatMap((version, index) => (index === 0 ? [] : [{version, startsPhase: version.phase !== history[index - 1]?.phase}]))
    .filter(({version: {validFrom}}) => validFrom > 0 && validFrom < closedThrough)
    .slice(-CHANGES_MAX)
    .map(change => ({...change, windowMs: windowFor(closedThrough - change.version.validFrom, sliceMs)}));
}

function windowFor(afterMs: number, sliceMs: number): number {
  const fits = WINDOW_MS.filter(size => size % sliceMs === 0 && size * WINDOWS_A_SIDE <= afterMs);
  return fits[0] ?? sliceMs;
}

/** Nothing when one side of the change has no window: there is no before and after to compare. */
function aroundOf({metric, aggregate, control, variant}: Verdict, {version, startsPhase, windowMs}: Change, rows: readonly WindowRow[]): WindowsAround[] {
  const {validFrom: at, phase} = version;
  const own = rows.filter(row => row.metric === metric && (row.variant === control || row.variant === variant));
  // A window across the start of a phase has a row of each side; across another change it belongs to neither.
  const before = newestPhase(own.filter(row => (startsPhase ? row.phase < phase && row.window_start < at : row.window_end <= at)));
  const after = newestPhase(own.filter(row => (startsPhase ? row.phase >= phase : row.window_start >= at)));
  if (before.length === 0 || after.length === 0) return [];
  const point = (side: 'before' | 'after') => (row: WindowRow) => ({start: isoOf(row.window_start), side, variant: row.variant, n: row.n, value: shownValue(row, aggregate)});
  return [{
    at: isoOf(at),
    version: version.version,
    phase,
    author: version.author,
    reason: reasonOf(version.reason),
    window_ms: windowMs,
    windows: [...before.map(point('before')), ...after.map(point('after'))],
  }];
}

/** Of a window's rows the newest phase's: older ones hold the last outcomes of units that have not come back. */
function newestPhase(rows: readonly WindowRow[]): WindowRow[] {
  const newest = new Map<string, WindowRow>();
  for (const row of rows) {
    const key = `${row.window_end} ${row.variant}`;
    if ((newest.get(key)?.phase ?? -1) < row.phase) newest.set(key, row);
  }
  return [...newest.values()].sort((a, b) => a.window_end - b.window_end || (a.variant < b.variant ? -1 : 1));
}

const shownValue = (row: WindowRow, aggregate: Aggregate): number =>
  aggregate === 'p50' || aggregate === 'p95' || aggregate === 'p99' ? row[aggregate] : row.mean;

/** What a guard writes for programs follows its sentence. */
const reasonOf = (reason: string): string => [...reason.replace(/ \{"guard":.*$/s, '')].slice(0, REASON_CHARS_MAX).join('');

const isoOf = (at: number): string => new Date(at).toISOString();
