import type {ExperimentView} from '../../core/experiment.ts';
import {LIMITS} from '../../core/limits.ts';
import type {ClosedSlice} from '../../core/slices.ts';
import type {Stream} from '../../core/streams.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';
import {CLOSING_LIMITS} from './closing-limits.ts';
import type {ClosingResult, ClosingState, ClosingStore, CloseRequest, CommittedOffset, ReviseRequest} from '../warehouse.ts';
import {type SqlConnection, sqlTuple} from './connection.ts';
import {loadQuery} from './query-file.ts';
import {type HourLoad, revisionGroups} from './revision-groups.ts';
import {FINAL_WITHIN_PARTITIONS, INSERT_SLICES, type Recompute, recomputeParams, recomputeSql, withFresh} from './slice-recompute.ts';

const HOUR_MS = 3_600_000;

type Mark = {
  readonly stream: Stream;
  readonly kind: 'close' | 'revise';
  readonly from: EpochMs;
  readonly through: EpochMs;
  readonly cut: EpochMs;
  readonly slices: number;
  readonly committed: readonly CommittedOffset[];
  readonly views: readonly ExperimentView[];
};

/**
 * Closes and revises slices (DESIGN C4, C5). Rows first, then the marker in `closings`
 * that makes them count: a crash between leaves rows nobody reads, and the same request
 * writes the same rows again.
 */
export class ClickHouseClosingStore
  implements Pick<ClosingStore, 'progress' | 'closingState' | 'closeSlices' | 'reviseSlices' | 'closedSlices'>
{
  readonly #connection: SqlConnection;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
  }

  async progress(stream: string, committed: readonly CommittedOffset[]): Promise<(EpochMs | null)[]> {
    const progress: (EpochMs | null)[] = [];
    for (const {logEpoch, partition, offset} of committed) {
      const params = {stream, log_epoch: logEpoch, partition, below: offset};
      const [row] = await this.#connection.select<{arrival_ms: string}>(loadQuery('arrival-high'), params);
      progress.push(row === undefined ? null : epochMs(Number(row.arrival_ms)));
    }
    return progress;
  }

  async closingState(stream: string): Promise<ClosingState> {
    const params = {stream, slice_ms_default: LIMITS.sliceMs};
    const [row] = await this.#connection.select<ClosingStateRow>(loadQuery('closing-state'), params);
    return {
      closedThrough: msOrNull(row?.closed_through),
      revisedCut: msOrNull(row?.revised_cut),
      firstSliceStart: msOrNull(row?.first_slice_start),
      lastSliceEnd: msOrNull(row?.last_slice_end),
    };
  }

  async closeSlices(request: CloseRequest): Promise<ClosingResult> {
    const {stream, views, committed, fromSlice: from, throughSlice: through} = request;
    if (through <= from) return {slices: 0, rows: 0};
    const recompute = await recomputeSql(this.#connection, request);
    for (const range of await this.#loads(stream, from, through)) {
      await this.#store(INSERT_SLICES + recompute, {stream, views, ...range, cut: null, slices: []});
    }
    const {rows} = await this.#countStored(stream.name, {from, through, cut: null});
    const slices = Math.round((through - from) / stream.sliceMs);
    await this.#mark({stream, kind: 'close', from, through, cut: epochMs(through + stream.latenessMs), slices, committed, views});
    return {slices, rows};
  }

  async reviseSlices(request: ReviseRequest): Promise<ClosingResult> {
    const {stream, views, committed, cut, sinceCut, closedThrough} = request;
    const dirty = await this.#dirtySlices(request);
    const result = {slices: 0, rows: 0};
    const changed = dirty.length === 0 ? '' : withFresh(await recomputeSql(this.#connection, request), 'slices-changed');
    for (const slices of revisionGroups(dirty, await this.#hoursOf(stream, dirty))) {
      const from = slices[0] as EpochMs;
      const through = epochMs((slices.at(-1) as EpochMs) + stream.sliceMs);
      await this.#store(INSERT_SLICES + changed, {stream, views, from, through, cut, slices});
      const stored = await this.#countStored(stream.name, {from, through, cut});
      result.slices += stored.slices;
      result.rows += stored.rows;
    }
    await this.#mark({stream, kind: 'revise', from: sinceCut, through: closedThrough, cut, slices: result.slices, committed, views});
    return result;
  }

  async closedSlices(stream: string, experiment: string): Promise<ClosedSlice[]> {
    const rows = await this.#connection.select<ClosedSliceRow>(loadQuery('slices-closed'), {stream, experiment});
    return rows.map(toClosedSlice);
  }

  async #dirtySlices({stream, sinceCut, cut, closedThrough}: ReviseRequest): Promise<EpochMs[]> {
    const rows = await this.#connection.select<{slice_start: string}>(
      loadQuery('slices-dirty'),
      {
        stream: stream.name,
        slice_ms: stream.sliceMs,
        lateness_ms: stream.latenessMs,
        since_ms: sinceCut,
        cut_ms: cut,
        closed_through_ms: closedThrough,
      },
      FINAL_WITHIN_PARTITIONS,
    );
    return rows.map(row => epochMs(Number(row.slice_start)));
  }

  /** Ranges of slices with a bounded number of outcomes each; hours without any are left out. */
  async #loads(stream: Stream, from: EpochMs, through: EpochMs): Promise<{from: EpochMs; through: EpochMs}[]> {
    const isShort = through - from <= CLOSING_LIMITS.undividedMs;
    if (isShort) return [{from, through}];
    const loads: {from: EpochMs; through: EpochMs; outcomes: number}[] = [];
    const onSlice = (ms: number): number => Math.floor(ms / stream.sliceMs) * stream.sliceMs;
    for (const {hour, outcomes} of await this.#outcomesByHour(stream, from, through)) {
      const start = epochMs(Math.max(from, onSlice(hour)));
      const end = epochMs(Math.min(through, onSlice(hour + HOUR_MS + stream.sliceMs - 1)));
      const last = loads.at(-1);
      if (last !== undefined && last.outcomes + outcomes <= CLOSING_LIMITS.outcomesAtOnce) {
        loads[loads.length - 1] = {from: last.from, through: end, outcomes: last.outcomes + outcomes};
      } else loads.push({from: epochMs(Math.max(start, last?.through ?? start)), through: end, outcomes});
    }
    return loads;
  }

  /** What lies between dirty slices; not asked for when they are so near that they go in one request anyway. */
  async #hoursOf(stream: Stream, dirty: readonly EpochMs[]): Promise<HourLoad[]> {
    const [from, through] = [dirty[0], dirty.at(-1)];
    if (from === undefined || through === undefined || through - from <= CLOSING_LIMITS.undividedMs) return [];
    return this.#outcomesByHour(stream, from, through);
  }

  async #outcomesByHour(stream: Stream, from: EpochMs, through: EpochMs): Promise<HourLoad[]> {
    const params = {stream: stream.name, from_ms: from, through_ms: through};
    const rows = await this.#connection.select<{hour_ms: string; outcomes: string}>(loadQuery('outcomes-by-hour'), params);
    return rows.map(({hour_ms, outcomes}) => ({hour: epochMs(Number(hour_ms)), outcomes: Number(outcomes)}));
  }

  #store(sql: string, recompute: Recompute): Promise<void> {
    return this.#connection.command(sql, recomputeParams(recompute), FINAL_WITHIN_PARTITIONS);
  }

  async #countStored(stream: string, range: {from: EpochMs; through: EpochMs; cut: EpochMs | null}): Promise<ClosingResult> {
    const params = {stream, from_ms: range.from, through_ms: range.through, cut_ms: range.cut ?? 0};
    const [row] = await this.#connection.select<{rows: string; slices: string}>(loadQuery('slices-count'), params);
    return {rows: Number(row?.rows ?? 0), slices: Number(row?.slices ?? 0)};
  }

  #mark(mark: Mark): Promise<void> {
    return this.#connection.command(loadQuery('closing-mark'), {
      stream: mark.stream.name,
      kind: mark.kind,
      from_ms: mark.from,
      through_ms: mark.through,
      cut_ms: mark.cut,
      slices: mark.slices,
      committed: mark.committed.map(({logEpoch, partition, offset}) => sqlTuple(logEpoch, partition, offset)),
      config_versions: new Map(mark.views.map(view => [view.experiment, view.version])),
    });
  }
}

type ClosingStateRow = {
  readonly closed_through: string | null;
  readonly revised_cut: string | null;
  readonly first_slice_start: string | null;
  readonly last_slice_end: string | null;
};

const msOrNull = (value: string | null | undefined): EpochMs | null => (value === null || value === undefined ? null : epochMs(Number(value)));

type ClosedSliceRow = {
  readonly experiment: string;
  readonly phase: number;
  readonly variant: string;
  readonly metric: string;
  readonly dimension: string;
  readonly dimension_value: string;
  readonly slice_start_ms: string;
  readonly n: string;
  readonly scale: number;
  readonly sum_q: string;
  readonly sum_squares_q: string;
  readonly denominator_sum_q: string;
  readonly extra_weight: string;
  readonly extra_sum_q: string;
  readonly extra_denominator_sum_q: string;
  readonly min: number;
  readonly max: number;
  readonly buckets: readonly number[];
  readonly counts: readonly string[];
  readonly sampled_buckets: readonly number[];
  readonly sampled_weights: readonly string[];
  readonly sampled_squares: readonly string[];
  readonly cut_ms: string;
  readonly config_version: number;
  readonly is_revision: boolean | number;
};

const toClosedSlice = (row: ClosedSliceRow): ClosedSlice => ({
  experiment: row.experiment,
  phase: row.phase,
  variant: row.variant,
  metric: row.metric,
  dimension: row.dimension,
  dimensionValue: row.dimension_value,
  sliceStart: epochMs(Number(row.slice_start_ms)),
  n: Number(row.n),
  scale: row.scale,
  sumQ: BigInt(row.sum_q),
  sumSquaresQ: BigInt(row.sum_squares_q),
  denominatorSumQ: BigInt(row.denominator_sum_q),
  extraWeight: BigInt(row.extra_weight),
  extraSumQ: BigInt(row.extra_sum_q),
  extraDenominatorSumQ: BigInt(row.extra_denominator_sum_q),
  extraBuckets: new Map(row.sampled_buckets.map((bucket, at) => [bucket, {weight: BigInt(row.sampled_weights[at] ?? 0), squares: BigInt(row.sampled_squares[at] ?? 0)}])),
  min: row.min,
  max: row.max,
  histogram: new Map(row.buckets.map((bucket, index) => [bucket, Number(row.counts[index])])),
  cut: epochMs(Number(row.cut_ms)),
  configVersion: row.config_version,
  isRevision: Boolean(row.is_revision),
});
