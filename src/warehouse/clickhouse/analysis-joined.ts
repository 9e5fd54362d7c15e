import {WEIGHT_ONE} from '../../core/sampling.ts';
import {quoteString} from './sql-text.ts';

/** The units that outcomes of a split are joined with: every column of theirs is fetched for every outcome, so there are few. */
export type UnitsJoined = {
  readonly units: string;
  readonly weight: string;
  readonly arm: string;
  readonly join: string;
  readonly where: string;
};

export type WeightRange = {readonly low: number; readonly high: number};

export const UNSAMPLED: WeightRange = {low: WEIGHT_ONE, high: WEIGHT_ONE};

/** Of the units that count. */
export type UnitsSeen = {readonly weights: WeightRange; /** Some met a later phase. */ readonly hasLeft: boolean; readonly arms: readonly string[]};

type Named = {readonly id: string; readonly tombstones: string; readonly arms: readonly string[]};

/** Which outcomes a statement reads. */
export type OutcomesOf = {
  readonly units: UnitsJoined;
  readonly sign?: number;
  readonly since?: number;
  readonly through?: number;
  readonly from?: number;
  /** Narrows down by the table's own order what is read, and nothing that counts. */
  readonly only?: string;
  readonly exposedSince?: number;
};

const ARRIVED = "arrival_ts > fromUnixTimestamp64Milli({exposed_since_ms:Int64}, 'UTC') AND arrival_ts <= fromUnixTimestamp64Milli({exposed_cut_ms:Int64}, 'UTC')";
/** What is new of a step, with copies of what is known: what is to be read again around it. */
export const UNITS_EXPOSED = `exposures WHERE stream = {stream:String} AND experiment = {experiment:String} AND ${ARRIVED}`;
export const OUTCOMES_ARRIVED = `outcomes WHERE stream = {stream:String} AND ${ARRIVED}`;
export const HOUR = 'intDiv(reinterpretAsUInt64(reverse(substring(event_id, 1, 6))), 3600000)';

/** Whether no unit of a workspace crossed over or met a later phase only, for `stream-is-plain`. */
export const UNITS_ALONE = "(SELECT countIf(is_crossover OR variant = '') = 0 FROM analysis_units FINAL WHERE workspace = {workspace:String})";

/** Units that count of those where `where` holds. */
export function unitsWhere({arms}: Named, where: string): UnitsJoined {
  return {
    units: `SELECT key, ${armSql(arms)}, first_ms, left_ms, forgotten_ms, weight FROM analysis_units FINAL WHERE ${COUNTS} AND ${where}`,
    weight: 'joined.weight',
    arm: 'joined.arm',
    join: 'INNER JOIN',
    where: 'WHERE event_ms >= joined.first_ms AND event_ms < joined.left_ms AND arrival_ms > joined.forgotten_ms',
  };
}

/**
 * All units of a first step, without what is the same for each.
 * @param countsAll outcomes of no unit, or before its exposure, are kept with arm 0: then all of the stream are counted at once
 */
export function unitsAlike({id, tombstones, arms}: Named, seen: UnitsSeen | null, {countsAll}: {readonly countsAll: boolean}): UnitsJoined {
  const {weights: {low, high}, hasLeft} = seen ?? {weights: UNSAMPLED, hasLeft: false};
  const conditions = ['event_ms >= joined.first_ms', ...(hasLeft ? ['event_ms < joined.left_ms'] : []), ...(isForgetful(tombstones) ? ['arrival_ms > joined.forgotten_ms'] : [])].join(' AND ');
  const columns = ['key', armSql(arms), 'first_ms', ...(hasLeft ? ['left_ms'] : []), ...(isForgetful(tombstones) ? ['forgotten_ms'] : []), ...(low === high ? [] : ['weight'])];
  return {
    // Each unit has one row.
    units: `SELECT ${columns.join(', ')} FROM analysis_units WHERE ${COUNTS} AND workspace = ${quoteString(id)}`,
    weight: low === high ? `toInt64(${low})` : 'joined.weight',
    ...(countsAll ? {arm: `if(${conditions}, joined.arm, 0)`, join: 'LEFT ANY JOIN', where: ''} : {arm: 'joined.arm', join: 'INNER JOIN', where: `WHERE ${conditions}`}),
  };
}

/** The same of units kept over several steps, with those of `keys` alone looked up. */
export function unitsOfKeys(named: Named, keys: string, where: string): UnitsJoined {
  const newest = `(SELECT * FROM analysis_units PREWHERE key IN (${keys}) WHERE workspace = ${quoteString(named.id)} ORDER BY step DESC LIMIT 1 BY key)`;
  const joined = unitsWhere(named, where);
  return {...joined, units: joined.units.replace('analysis_units FINAL', newest)};
}

export const withUnitsJoined = (sql: string, {units, weight, arm, join, where}: UnitsJoined): string =>
  sql.replace('/* units */', () => units).replace('/* weight */', weight).replace('/* arm */', arm).replace('/* join */', join).replace('/* where */', where);

/** @param tombstones state of a stream's: their number comes first */
const isForgetful = (tombstones: string): boolean => !tombstones.startsWith('0 ');

/** A join with no tombstones would still look each unit up by its name. */
export function withForgotten(sql: string, {tombstones}: Pick<Named, 'tombstones'>): string {
  const isAny = isForgetful(tombstones);
  return sql
    .replace('/* forgotten */', isAny ? FORGOTTEN : '')
    .replace('/* forgotten_ms */', isAny ? 'toUnixTimestamp64Milli(any(forgotten_ts))' : 'toInt64(0)')
    .replace('/* kept */', isAny ? 'arrival_ts > forgotten_ts' : '1');
}

const FORGOTTEN = 'LEFT JOIN (SELECT unit_id, max(arrival_ts) AS forgotten_ts FROM tombstones WHERE stream = {stream:String} GROUP BY unit_id) AS forgotten USING (unit_id)';

const COUNTS = "NOT is_crossover AND variant != ''";

const armSql = (arms: readonly string[]): string => `toUInt8(indexOf([${arms.map(quoteString).join(', ')}], toString(variant))) AS arm`;

export function rangeOf(ranges: readonly (WeightRange | null)[]): WeightRange {
  const known = ranges.filter(range => range !== null);
  if (known.length === 0) return UNSAMPLED;
  return {low: Math.min(...known.map(({low}) => low)), high: Math.max(...known.map(({high}) => high))};
}
