import {epochMs} from '../../core/units.ts';
import type {GuardAsk, GuardStore, GuardWindow} from '../warehouse.ts';
import {WindowStatistics} from '../window-statistics.ts';
import type {SqlConnection} from './connection.ts';
import {loadQuery} from './query-file.ts';

/** One query for all guards of a look. */
export class ClickHouseGuardStore implements GuardStore {
  readonly #connection: SqlConnection;
  readonly #reader: SqlConnection;

  constructor({connection, reader}: {readonly connection: SqlConnection; readonly reader: SqlConnection}) {
    this.#connection = connection;
    this.#reader = reader;
  }

  guardWindows(stream: string, asks: readonly GuardAsk[]): Promise<GuardWindow[]> {
    return windowsOf(this.#connection, {stream, asks, source: AS_CLOSED});
  }

  guardHistory(stream: string, asks: readonly GuardAsk[]): Promise<GuardWindow[]> {
    return windowsOf(this.#reader, {stream, asks, source: AS_REVISED});
  }
}

/** Which rows of closed slices count: as they were closed, or as they were last revised. */
type Source = {readonly table: string; readonly only: string};
const AS_CLOSED: Source = {table: 'slices FINAL', only: 'AND NOT is_revision AND slice_end <= closed_through'};
const AS_REVISED: Source = {table: 'slices_latest', only: ''};

type Question = {readonly stream: string; readonly asks: readonly GuardAsk[]; readonly source: Source};

async function windowsOf(connection: SqlConnection, {stream, asks, source: {table, only}}: Question): Promise<GuardWindow[]> {
  const windows = asks.flatMap(({experiment, phase, sizeMs, ends}) => ends.map(end => ({tuple: [experiment, phase, sizeMs, end]})));
  if (windows.length === 0) return [];
  const query = loadQuery('guard-windows').replace('/* closed slices */', table).replace('/* as closed */', only);
  const rows = await connection.select<StoredGuardWindow>(query, {
    stream,
    experiments: [...new Set(asks.map(({experiment}) => experiment))],
    metrics: [...new Set(asks.flatMap(({metrics}) => metrics))],
    from_ms: Math.min(...asks.flatMap(({sizeMs, ends}) => ends.map(end => end - sizeMs))),
    to_ms: Math.max(...asks.flatMap(({ends}) => ends)),
    asks: windows,
  });
  return rows.map(row => toWindow(stream, row));
}

type StoredGuardWindow = {
  readonly experiment: string;
  readonly phase: number;
  readonly variant: string;
  readonly metric: string;
  readonly window_start: string;
  readonly window_end: string;
  readonly total_n: string;
  readonly total: number;
  readonly total_denominator: number;
  readonly total_squares: number;
  readonly total_extra_n: number;
  readonly total_extra: number;
  readonly total_extra_denominator: number;
  readonly lowest: number;
  readonly highest: number;
  readonly buckets: readonly [ids: readonly number[], counts: readonly string[]];
  readonly sampled_buckets: readonly [ids: readonly number[], weights: readonly number[], squares: readonly number[]];
  readonly is_closed: number;
};

function toWindow(stream: string, row: StoredGuardWindow): GuardWindow {
  const {experiment, phase, variant, metric, total: plainSum, lowest: min, highest: max} = row;
  const [ids, counts] = row.buckets;
  const [sampled, weights, squares] = row.sampled_buckets;
  const statistics = new WindowStatistics({
    counts: ids.map((id, index) => [id, Number(counts[index])]),
    extra: sampled.map((bucket, index) => ({bucket, weight: weights[index] ?? 0, squares: squares[index] ?? 0})),
    min, max,
  });
  const n = Number(row.total_n);
  const estimatedN = n + row.total_extra_n;
  const sum = plainSum + row.total_extra;
  const denominator = row.total_denominator + row.total_extra_denominator;
  const sd = n > 1 ? Math.sqrt(Math.max(0, row.total_squares - (plainSum * plainSum) / n) / (n - 1)) : null;
  const mean = sum / (denominator === 0 ? estimatedN : denominator);
  const errors = statistics.errors({n, mean, sd});
  return {
    stream, experiment, phase, variant, metric,
    window_start: epochMs(Number(row.window_start)),
    window_end: epochMs(Number(row.window_end)),
    n, estimated_n: estimatedN, sum, min, max,
    mean, sd,
    p50: statistics.quantile(0.5), p95: statistics.quantile(0.95), p99: statistics.quantile(0.99),
    status: row.is_closed === 1 ? 'closed' : 'provisional',
    revision: 0,
    // The spread of a ratio is not in its window.
    errors: denominator === 0 ? errors : {...errors, mean: Number.NaN},
  };
}
