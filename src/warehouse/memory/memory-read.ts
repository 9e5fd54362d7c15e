import {AssayError} from '../../core/errors.ts';
import {unquantise} from '../../core/exact.ts';
import {WEIGHT_DIGITS, WEIGHT_ONE} from '../../core/sampling.ts';
import {type EpochMs, epochMs} from '../../core/units.ts';
import type {ExportStore, GuardAsk, GuardStore, GuardWindow, ReadStore, StoredDeadLetter, WindowRow} from '../warehouse.ts';
import {WindowStatistics} from '../window-statistics.ts';
import type {MemoryClosing} from './memory-closing.ts';
import type {MemoryState} from './memory-state.ts';

type Request = Parameters<ReadStore['windows']>[0];
type Part = Pick<WindowRow, 'phase' | 'variant' | 'metric' | 'n' | 'sum' | 'min' | 'max'> & {
  readonly sliceStart: EpochMs;
  readonly sumSquares: number;
  readonly denominator: number;
  /** In whole outcomes and the metric's unit. */
  readonly extra: {readonly n: number; readonly sum: number; readonly denominator: number};
  readonly histogram: Iterable<readonly [bucket: number, count: number]>;
  readonly extraBuckets?: ReadonlyMap<number, {readonly weight: bigint | number; readonly squares: bigint | number}>;
};

export class MemoryRead implements ReadStore, GuardStore, ExportStore {
  readonly #state: MemoryState;
  readonly #closing: MemoryClosing;

  constructor(state: MemoryState, closing: MemoryClosing) {
    this.#state = state;
    this.#closing = closing;
  }

  query(): Promise<Record<string, unknown>[]> {
    return Promise.reject(new AssayError('ASSAY_QUERY_REFUSED', 'the memory warehouse knows no SQL'));
  }

  exportRows(): Promise<{readonly rows: number | null}> {
    return Promise.reject(new AssayError('ASSAY_QUERY_REFUSED', 'the memory warehouse knows no SQL'));
  }

  async windows(request: Request): Promise<WindowRow[]> {
    const {closedThrough} = await this.#closing.closingState(request.stream);
    const through = closedThrough ?? Number.NEGATIVE_INFINITY;
    const sliceMs = this.#state.streamRecords.get(request.stream)?.sliceMs ?? request.slideMs;
    const parts = await this.#parts(request, through - sliceMs);
    const rows: WindowRow[] = [];
    const firstEnd = Math.ceil((request.from + 1 - request.sizeMs) / request.slideMs) * request.slideMs + request.sizeMs;
    for (let end = firstEnd; end <= request.to; end += request.slideMs) {
      const start = end - request.sizeMs;
      const inside = parts.filter(({sliceStart}) => sliceStart >= start && sliceStart < end);
      const status = end <= through ? 'closed' : 'provisional';
      rows.push(...merge(inside, {request, start: epochMs(start), end: epochMs(end), status}));
    }
    return rows;
  }

  async guardWindows(stream: string, asks: readonly GuardAsk[]): Promise<GuardWindow[]> {
    const rows: GuardWindow[] = [];
    for (const {experiment, phase, sizeMs, metrics, ends} of asks) {
      for (const end of ends) {
        const request = {stream, experiment, sizeMs, slideMs: 1, from: epochMs(end - 1), to: end};
        for (const row of await this.windows(request)) {
          if (row.phase !== phase || !metrics.includes(row.metric)) continue;
          const inside = (await this.#parts(request, Number.NEGATIVE_INFINITY)).filter(part => part.sliceStart >= end - sizeMs && part.sliceStart < end);
          const mine = inside.filter(part => part.phase === phase && part.variant === row.variant && part.metric === row.metric);
          const isRatio = mine.some(part => part.denominator !== 0);
          const errors = statisticsOf(mine, row).errors(row);
          rows.push({...row, errors: isRatio ? {...errors, mean: Number.NaN} : errors});
        }
      }
    }
    return rows;
  }

  guardHistory(stream: string, asks: readonly GuardAsk[]): Promise<GuardWindow[]> {
    return this.guardWindows(stream, asks);
  }

  async deadLetters(filter: Parameters<ReadStore['deadLetters']>[0]): Promise<StoredDeadLetter[]> {
    const streams = filter.stream === null ? this.#state.streamNames() : [filter.stream];
    const rows = streams.flatMap(stream =>
      [...this.#state.stream(stream).deadLetters.values()].map(row => ({
        stream,
        partition: row.partition,
        offset: String(row.offset),
        code: row.code,
        message: row.message,
        key: row.key,
        value: row.value,
        arrival_ts: new Date(row.arrivalTs).toISOString(),
      })),
    );
    return rows
      .filter(({code, arrival_ts: at}) => (filter.code === null || code === filter.code) && Date.parse(at) <= (filter.through ?? Number.POSITIVE_INFINITY))
      .sort((a, b) => (a.arrival_ts === b.arrival_ts ? Number(b.offset) - Number(a.offset) : a.arrival_ts < b.arrival_ts ? 1 : -1))
      .slice(filter.skip ?? 0, (filter.skip ?? 0) + filter.limit);
  }

  /** Closed slices up to `lastClosed`, provisional ones after it; the totals, or one dimension's value. */
  async #parts({stream, experiment, dimension: wanted}: Request, lastClosed: number): Promise<Part[]> {
    const closed = (await this.#closing.closedSlices(stream, experiment)).map(row => ({
      ...row,
      sum: unquantise(row.sumQ, row.scale),
      sumSquares: unquantise(row.sumSquaresQ, 2 * row.scale),
      denominator: unquantise(row.denominatorSumQ, row.scale),
      extra: {
        n: unquantise(row.extraWeight, WEIGHT_DIGITS),
        sum: unquantise(row.extraSumQ, row.scale + WEIGHT_DIGITS),
        denominator: unquantise(row.extraDenominatorSumQ, row.scale + WEIGHT_DIGITS),
      },
    }));
    const open = [...this.#state.stream(stream).provisional.values()]
      .filter(row => row.experiment === experiment && row.sliceStart > lastClosed)
      .map(row => ({
        ...row,
        sumSquares: row.m2 + (row.sum * row.sum) / row.n,
        denominator: row.denominatorSum,
        extra: {n: row.extraWeight / WEIGHT_ONE, sum: row.extraSum / WEIGHT_ONE, denominator: row.extraDenominatorSum / WEIGHT_ONE},
      }));
    return [...closed, ...open].filter(({n, dimension, dimensionValue}) => n > 0 && dimension === (wanted?.name ?? '') && dimensionValue === (wanted?.value ?? ''));
  }
}

function merge(
  parts: readonly Part[],
  {request, start, end, status}: {request: Request; start: EpochMs; end: EpochMs; status: WindowRow['status']},
): WindowRow[] {
  const groups = new Map<string, Part[]>();
  for (const part of parts) {
    const key = [part.phase, part.variant, part.metric].join('\0');
    groups.set(key, [...(groups.get(key) ?? []), part]);
  }
  return [...groups.values()].flatMap(group => {
    const [first] = group;
    if (first === undefined) return [];
    const total = (of: (part: Part) => number): number => group.reduce((sum, part) => sum + of(part), 0);
    const n = total(part => part.n);
    const plainSum = total(part => part.sum);
    const sum = plainSum + total(part => part.extra.sum);
    const estimatedN = n + total(part => part.extra.n);
    const denominator = total(part => part.denominator + part.extra.denominator);
    const m2 = Math.max(0, total(part => part.sumSquares) - (plainSum * plainSum) / n);
    const min = group.reduce((low, part) => Math.min(low, part.min), Number.POSITIVE_INFINITY);
    const max = group.reduce((high, part) => Math.max(high, part.max), Number.NEGATIVE_INFINITY);
    const statistics = statisticsOf(group, {min, max});
    return [{
      stream: request.stream, experiment: request.experiment, phase: first.phase, variant: first.variant,
      metric: first.metric, window_start: start, window_end: end, n, estimated_n: estimatedN, sum, mean: sum / (denominator === 0 ? estimatedN : denominator),
      sd: n < 2 ? null : Math.sqrt(m2 / (n - 1)), min, max, p50: statistics.quantile(0.5), p95: statistics.quantile(0.95), p99: statistics.quantile(0.99),
      status, revision: 0,
    }];
  });
}

function statisticsOf(parts: readonly Part[], {min, max}: {readonly min: number; readonly max: number}): WindowStatistics {
  const extra = new Map<number, {weight: number; squares: number}>();
  for (const [bucket, {weight, squares}] of parts.flatMap(part => [...(part.extraBuckets ?? [])])) {
    const known = extra.get(bucket) ?? {weight: 0, squares: 0};
    extra.set(bucket, {weight: known.weight + Number(weight), squares: known.squares + Number(squares)});
  }
  return new WindowStatistics({
    counts: [...summed(parts.flatMap(part => [...part.histogram]))],
    extra: [...extra].sort(([a], [b]) => a - b).map(([bucket, sums]) => ({bucket, ...sums})),
    min, max,
  });
}

function summed(counts: readonly (readonly [number, number])[]): Map<number, number> {
  const sums = new Map<number, number>();
  for (const [bucket, count] of counts) sums.set(bucket, (sums.get(bucket) ?? 0) + count);
  return sums;
}
