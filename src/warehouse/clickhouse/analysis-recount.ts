import {hasDistribution, type Metric} from '../../core/experiment.ts';
import {largestColumn, metricColumns, totalColumns} from './analysis-columns.ts';
import {type UnitsJoined, withUnitsJoined} from './analysis-joined.ts';
import {fromTables} from './analysis-scope.ts';
import type {SqlConnection, SqlParams, SqlSettings} from './connection.ts';
import {SPILLING} from './pair-store.ts';
import {loadQuery} from './query-file.ts';
import {WEIGHT_SQL} from './weight-sql.ts';

/** What the one pass over the outcomes of a first step found, besides the rows of units. */
export type Recounted = {
  readonly outcomes: number;
  /** Outcomes of the stream that count for no unit of the phase; only where they were kept apart. */
  readonly leftOut: number;
  /** By metric: no |value| or |denominator| is larger. */
  readonly largest: readonly number[];
};

export type RecountOf = {
  readonly metrics: readonly Metric[];
  readonly ends: readonly number[];
  readonly units: UnitsJoined;
  /** All outcomes of the scope weigh as much. */
  readonly weight: number;
  readonly params: SqlParams;
  readonly settings: SqlSettings;
};

/**
 * A million units take 500 MB beside the join's table; the statement's own memory is the bound. Every stream of rows
 * fills a table of units of its own: with outcomes of several parts told apart by whether they overlap there were
 * twice as many streams as threads, which spilled. Tables sized by what the last statement had take up to twice that.
 */
export const RECOUNT_SPILLING: SqlSettings = {
  ...SPILLING,
  max_bytes_before_external_group_by: 700_000_000,
  max_insert_threads: 2,
  // Rows wait beside the tables until there are so many.
  min_insert_block_size_bytes: 33_554_432,
  min_insert_block_size_rows: 131_072,
  split_parts_ranges_into_intersecting_and_non_intersecting_final: 0,
  collect_hash_table_stats_during_aggregation: 0,
};

/** Presence of values is guessed from as many outcomes; a wrong guess costs a second pass. */
const GUESSED_FROM = 20_000;

/** Every set of keys adds up every metric: with more of both, outcomes are written down and each set reads what it needs. */
const COLUMNS_MAX = 24;

/** A sum of whole numbers of a unit stays below it in 64 bits. */
const NARROW_MAX = 2 ** 62;

/**
 * Units and their totals in one pass from the outcomes, which are joined and added up without being written down.
 * What is worked out for each outcome is as little as most experiments need: narrow integers, and no test for a value
 * that every outcome has. Null where the outcomes turn out to need more; then nothing is left behind.
 */
export async function recount(connection: SqlConnection, of: RecountOf, drop: () => Promise<void>): Promise<Recounted | null> {
  if (of.metrics.length * (1 + of.metrics.filter(hasDistribution).length) > COLUMNS_MAX) return null;
  let guess = await guessedPresent(connection, of);
  for (;;) {
    await connection.command(fromTables(recountSql(of, guess), of.params), {...of.params, weight: of.weight}, of.settings);
    const found = await readBack(connection, of);
    if (found.isNarrow && (guess & found.present) === guess) return found;
    await drop();
    if (!found.isNarrow) return null;
    guess = guess & found.present;
  }
}

/** Null where outcomes of the stream have several weights, or another one than the units. */
export async function onlyWeight(connection: SqlConnection, stream: string, units: {readonly low: number; readonly high: number}): Promise<number | null> {
  type Row = {n: string; low: string; high: string};
  const sql = `SELECT count() AS n, min(${WEIGHT_SQL}) AS low, max(${WEIGHT_SQL}) AS high FROM outcomes WHERE stream = {stream:String}`;
  const [row] = await connection.select<Row>(sql, {stream});
  // An outcome counts only if its unit's exposure was sent, too.
  return units.low === units.high && row !== undefined && Number(row.n) > 0 && Number(row.high) <= units.low ? units.low : null;
}

async function guessedPresent(connection: SqlConnection, {metrics, ends, params}: RecountOf): Promise<bigint> {
  const {present} = metricColumns(metrics, ends);
  const [row] = await connection.select<{present: string}>(
    `WITH mapKeys(measures) AS names, toUnixTimestamp64Milli(event_ts) AS event_ms
    SELECT toString(groupBitAnd(${present})) AS present FROM (SELECT measures, event_ts FROM outcomes WHERE stream = {stream:String} LIMIT ${GUESSED_FROM})`,
    params,
  );
  return BigInt(row?.present ?? 0);
}

function recountSql({metrics, ends, units, params}: RecountOf, guess: bigint): string {
  const {present, values} = metricColumns(metrics, ends);
  const own = (sql: string): string => sql.replaceAll(/\bvalue\[(\d+)\]/g, (_, place: string) => `value_${Number(place) - 1}`);
  // A set of keys each for units and for values: read and joined once, added up side by side.
  const ranked = metrics.flatMap((metric, i) => (hasDistribution(metric) ? [i] : []));
  const metric = ranked.length === 0 ? '0' : `multiIf(grouping(unit) = 0, 0, ${ranked.map(i => `grouping(value_${i}) = 0, ${i + 1}`).join(', ')}, 0)`;
  const value = ranked.length === 0 ? '0.' : `multiIf(${ranked.map(i => `metric = ${i + 1}, value_${i}`).join(', ')}, 0.)`;
  const all = (1n << BigInt(metrics.length)) - 1n;
  const query = loadQuery('analysis-recounts')
    .replace('/* totals */', () => own(totalColumns(metrics, {present: guess, largest: metrics.map(() => 0), areSmall: true, areShort: params['is_live'] === false}, false)))
    .replace('/* metric */', `toUInt16(${metric})`)
    .replace('/* value */', value)
    .replace('/* sets */', ranked.length === 0 ? 'unit' : `GROUPING SETS ((unit), ${ranked.map(i => `(arm, value_${i})`).join(', ')})`)
    .replace('/* largest */', () => own(largestColumn(metrics)))
    .replace('/* present in all */', () => (guess === all ? 'groupBitAnd(present)' : `groupBitAnd(bitOr(present, ${all & ~guess}))`))
    .replace('/* columns */', () => values.map((value, i) => `,\n    ${value} AS value_${i}`).join(''))
    .replace('/* present */', () => present)
    .replace('/* values */', values.map((_, i) => `value_${i}`).join(', ') || '0 AS value_0');
  return withUnitsJoined(query, units);
}

async function readBack(connection: SqlConnection, {metrics, params}: RecountOf): Promise<Recounted & {readonly present: bigint; readonly isNarrow: boolean}> {
  type Row = {counted: string; of_unit: string; left: string; in_all: string; greatest: number[]; listed: number[]};
  const listed = metrics.map((_, i) => `maxIf(abs(value), metric = ${i + 1} AND variant != '')`).join(', ');
  const sql = `SELECT sum(outcomes) AS counted, max(outcomes) AS of_unit, sum(left_out) AS left, toString(groupBitAndIf(present, outcomes > 0)) AS in_all,
    maxForEachIf(largest, outcomes > 0) AS greatest, CAST([${listed}], 'Array(Float64)') AS listed FROM analysis_recounts WHERE workspace = {workspace:String}`;
  const [row] = await connection.select<Row>(sql, params);
  const largest = metrics.map((_, i) => Math.max(row?.greatest[i] ?? 0, row?.listed[i] ?? 0));
  const ofUnit = Math.max(1, Number(row?.of_unit ?? 0));
  return {
    outcomes: Number(row?.counted ?? 0),
    leftOut: Number(row?.left ?? 0),
    largest,
    present: BigInt(row?.in_all ?? 0),
    isNarrow: metrics.every(({scale}, i) => ofUnit * ((largest[i] ?? 0) * 10 ** scale + 1) < NARROW_MAX),
  };
}
