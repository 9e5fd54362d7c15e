import {hasDistribution, type Metric} from '../../core/experiment.ts';
import {metricKind, valueMeasure} from './metric-plan.ts';
import {literal, quoteString} from './sql-text.ts';

/**
 * The expressions that say what an outcome contributes to each metric of an
 * analysis, as slices-recompute.sql and `Metric` have it. Written out one by one:
 * a lambda over a list of metrics costs several times as much per outcome.
 */
export type MetricColumns = {
  /** Bit i: the outcome has a value for metric i. */
  readonly present: string;
  /** By metric; then the denominators of those that are ratios. */
  readonly values: readonly string[];
};

/** More than an experiment has by far: they are bits of one integer. */
export const METRICS_MAX = 64;

/** @param ends by metric: outcomes of the phase count before it, in ms; 0 for ever */
export function metricColumns(metrics: readonly Metric[], ends: readonly number[]): MetricColumns {
  return {
    present: metrics.length === 0 ? 'toUInt64(0)' : metrics.map((metric, i) => `bitShiftLeft(toUInt64(${presentOf(metric, ends[i] ?? 0)}), ${i})`).join(' + '),
    values: [...metrics.map(contributionOf), ...metrics.filter(isRatio).map(({denominator}) => read(denominator))],
  };
}

const isRatio = (metric: Metric): boolean => metricKind(metric) === 2;

/** The (numerator's) value of metric `i` in a row of outcomes, and its denominator where it is a ratio. */
export const measuredOf = (i: number): string => `value[${i + 1}]`;
export const denominatorOf = (metrics: readonly Metric[], i: number): string => `value[${metrics.length + metrics.slice(0, i + 1).filter(isRatio).length}]`;

/** One array of the columns. */
export const listOf = (columns: readonly string[]): string => `CAST([${columns.join(', ')}], 'Array(Float64)')`;

/** What one pass over the outcomes of a step tells of them, so that no more is done for each than they need. */
export type OutcomesSeen = {
  /** Bits that every outcome has. */
  readonly present: bigint;
  /** By metric: the largest |value| or |denominator|. */
  readonly largest: readonly number[];
  /** A unit's sums fit 64 bits. */
  readonly areSmall?: boolean;
  /** What is the same for every metric is written down once. */
  readonly areShort?: boolean;
};

export const hasBit = (bits: bigint, at: number): boolean => (bits >> BigInt(at)) % 2n === 1n;

/** As one row of aggregates over the outcomes of a step, of which those without an arm count for nothing; of the values of metrics that have a distribution, their table tells. */
export function seenColumns(metrics: readonly Metric[]): string {
  return [
    'countIf(arm != 0) AS outcomes',
    'toString(groupBitAndIf(present, arm != 0)) AS present_in_all',
    `${largestColumn(metrics)} AS largest`,
    'minIf(weight, arm != 0) AS low',
    'maxIf(weight, arm != 0) AS high',
  ].join(', ');
}

/** By metric: the largest |value| or |denominator|; of the values of metrics that have a distribution, their table tells. */
export const largestColumn = (metrics: readonly Metric[]): string =>
  `CAST([${metrics.map((metric, i) => (hasDistribution(metric) && metricKind(metric) !== 1 ? '0.' : largestOf(metrics, metric, i))).join(', ')}], 'Array(Float64)')`;

function largestOf(metrics: readonly Metric[], metric: Metric, i: number): string {
  if (metricKind(metric) === 1) return '1.';
  return isRatio(metric) ? `greatest(max(abs(${measuredOf(i)})), max(abs(${denominatorOf(metrics, i)})))` : `max(abs(${measuredOf(i)}))`;
}

/**
 * Sums of one row per unit over the outcomes of a step, one element per metric. Where every outcome has a metric the same
 * counts serve several.
 * @param isWeighted events have several weights: sums are of weight · q, six digits more than q
 */
export function totalColumns(metrics: readonly Metric[], {present, largest, areSmall = false, areShort = false}: OutcomesSeen, isWeighted: boolean): string {
  type Column = (metric: Metric, has: string | null, i: number) => string;
  const each = (column: Column): string => metrics.map((metric, i) => column(metric, hasBit(present, i) ? null : `bitTest(present, ${i})`, i)).join(', ');
  const isShared = areShort && !isWeighted && metrics.every((_, i) => hasBit(present, i));
  const alike = (column: Column, areAlike = true): string => (isShared && areAlike ? metrics.slice(0, 1).map((metric, i) => column(metric, null, i)).join('') : each(column));
  const q = (value: string, {scale}: Metric, i: number): string => {
    if (areSmall) return `toInt64(${wholeOf(value, literal(10 ** scale))})`;
    const plain = quantised(value, literal(10 ** scale), (largest[i] ?? Number.POSITIVE_INFINITY) * 10 ** scale);
    return isWeighted ? `(${plain}) * weight` : plain;
  };
  const count = (has: string | null): string => (has === null ? 'count()' : `countIf(${has})`);
  const sum = (value: string, has: string | null): string => (has === null ? `sum(${value})` : `sumIf(${value}, ${has})`);
  const least = (value: string, has: string | null): string => (has === null ? `min(${value})` : `min(if(${has}, ${value}, ${NEVER_MS}))`);
  const weight = (has: string | null): string => sum('toInt128(weight)', has);
  // Ones are counted instead of summed.
  const shares = (metric: Metric, has: string | null, i: number): string => `toInt128(${count([has, `${measuredOf(i)} = 1`].filter(one => one !== null).join(' AND '))}) * ${10 ** metric.scale}`;
  return [
    `CAST([${alike((_, has) => count(has))}], 'Array(UInt64)') AS n`,
    `CAST([${each((metric, has, i) => (metricKind(metric) === 1 && !isWeighted ? shares(metric, has, i) : sum(q(measuredOf(i), metric, i), has)))}], 'Array(Int128)') AS sum_q`,
    `CAST([${alike((metric, has, i) => (isRatio(metric) ? sum(q(denominatorOf(metrics, i), metric, i), has) : isWeighted ? weight(has) : `toInt128(${count(has)})`), !metrics.some(isRatio))}], 'Array(Int128)') AS denominator_q`,
    `CAST([${alike((_, has) => least('event_ms', has))}], 'Array(Int64)') AS from_ms`,
    `CAST([${alike((_, has) => (has === null ? 'max(event_ms)' : `max(if(${has}, event_ms, -1))`))}], 'Array(Int64)') AS to_ms`,
    `CAST([${isWeighted ? each((_, has) => weight(has)) : ''}], 'Array(Int128)') AS weights`,
    `CAST([${isWeighted ? each((_, has) => least('weight', has)) : ''}], 'Array(Int64)') AS weight_least`,
  ].join(',\n  ');
}

/**
 * Sums over the units of one arm, one element per metric; `all_` before a name, which columns of the table have, too.
 * @param bound of all outcomes together, and of a unit's at most
 */
export function armColumns(metrics: readonly Metric[], largest: readonly number[], bound: {readonly outcomes: number; readonly ofUnit: number}): string {
  // A list of one element is that of every metric.
  const of = (column: string, i: number): string => `${column}[least(${i + 1}, length(${column}))]`;
  const q = (i: number): string => `sum_q[${i + 1}]`;
  const each = (sum: (i: number) => string): string => `[${metrics.map((_, i) => sum(i)).join(', ')}]`;
  // Σ|s·d| over units ≤ all of Σ|q| · the most of one unit.
  const sizes = metrics.map(({scale}, i) => (largest[i] ?? 0) * 10 ** scale + 1);
  const isNarrow = sizes.every(size => bound.outcomes * size * bound.ofUnit * size < 2 ** 125);
  const product = (a: string, b: string): string => `toString(sum(${isNarrow ? a : `toInt256(${a})`} * ${b}))`;
  return [
    `${each(i => `countIf(${of('n', i)} > 0)`)} AS all_units_with_outcome`,
    `${each(i => `sum(${of('n', i)})`)} AS all_outcomes`,
    `${each(i => `toString(sum(${q(i)}))`)} AS all_sum_q`,
    `${each(i => `toString(sum(${of('denominator_q', i)}))`)} AS all_denominator_q`,
    `${each(i => product(q(i), q(i)))} AS all_unit_sum_squares_q`,
    `${each(i => product(of('denominator_q', i), of('denominator_q', i)))} AS all_unit_denominator_squares_q`,
    `${each(i => product(q(i), of('denominator_q', i)))} AS all_unit_cross_q`,
    // A unit without outcomes that count has a time later than any, and one earlier.
    `${each(i => `min(${of('from_ms', i)})`)} AS all_event_from`,
    `${each(i => `max(${of('to_ms', i)})`)} AS all_event_to`,
  ].join(',\n  ');
}

/** As {@link armColumns} of the rows of a step, those they replaced with `sign` −1. */
export function armChangeColumns(metrics: readonly Metric[]): string {
  const each = (sum: (column: (name: string) => string) => string): string => `[${metrics.map((_, i) => sum(name => `${name}[${i + 1}]`)).join(', ')}]`;
  const exact = (a: string, b: string): string => each(of => `toString(sum(toInt256(${of(a)}) * ${of(b)} * sign))`);
  return [
    `${each(of => `toString(sum(if(${of('n')} > 0, sign, 0)))`)} AS all_units_with_outcome`,
    `${each(of => `toString(sum(toInt64(${of('n')}) * sign))`)} AS all_outcomes`,
    `${each(of => `toString(sum(${of('sum_q')} * sign))`)} AS all_sum_q`,
    `${each(of => `toString(sum(${of('denominator_q')} * sign))`)} AS all_denominator_q`,
    `${exact('sum_q', 'sum_q')} AS all_unit_sum_squares_q`,
    `${exact('denominator_q', 'denominator_q')} AS all_unit_denominator_squares_q`,
    `${exact('sum_q', 'denominator_q')} AS all_unit_cross_q`,
    `${each(of => `toString(min(if(sign = 1 AND ${of('n')} > 0, ${of('from_ms')}, ${NEVER_MS})))`)} AS all_event_from`,
    `${each(of => `toString(max(if(sign = 1 AND ${of('n')} > 0, ${of('to_ms')}, -1)))`)} AS all_event_to`,
    `${each(of => `toString(min(if(sign = -1 AND ${of('n')} > 0, ${of('from_ms')}, ${NEVER_MS})))`)} AS replaced_from`,
    `${each(of => `toString(max(if(sign = -1 AND ${of('n')} > 0, ${of('to_ms')}, -1)))`)} AS replaced_to`,
  ].join(',\n  ');
}

/** A column of counts per arm: a name to group by costs several times as much as one comparison an arm. */
export const perArm = (arms: readonly string[], count: (isArm: string) => string): string =>
  arms.map(arm => count(`variant = ${quoteString(arm)}`)).join(', ');

/** The mean of a unit's outcomes from its integer sums `s` and `d`, as `meanOf` of exact-groups.ts has it. */
export function unitMean(metric: Metric): string {
  return `${nearest('s', metric.scale)} / ${metricKind(metric) === 2 ? nearest('d', metric.scale) : 'toFloat64(d)'}`;
}

/** The double nearest to q / 10^scale: one division of whole doubles, or its decimal text where q is beyond them. */
function nearest(q: string, scale: number): string {
  const unit = 10 ** scale;
  const text = scale === 0 ? `toString(${q})` : `concat(toString(intDiv(${q}, ${unit})), '.', leftPad(toString(abs(${q} % ${unit})), ${scale}, '0'))`;
  return `if(abs(${q}) < ${2 ** 53}, toFloat64(${q}) / ${literal(unit)}, toFloat64(${text}))`;
}

/** Later than any event. */
export const NEVER_MS = 9_000_000_000_000_000;

/**
 * round(x · multiplier) as an integer. A double holds every integer up to 2^53
 * exactly, and beyond 2^63 it goes in two parts.
 * @param multiplier a literal, or an expression
 * @param largest |x · multiplier| at most; unknown unless given
 */
export function quantised(value: string, multiplier: string, largest = Number.POSITIVE_INFINITY): string {
  const whole = wholeOf(value, multiplier);
  if (largest < 2 ** 62) return `toInt128(toInt64(${whole}))`;
  const high = `trunc(${whole} / ${TWO_TO_60})`;
  return `toInt128(toInt64(${high})) * ${TWO_TO_60_INTEGER} + toInt64(${whole} - ${high} * ${TWO_TO_60})`;
}

const wholeOf = (value: string, multiplier: string): string => `roundBankers(${value} * ${multiplier})`;

const TWO_TO_60 = '1152921504606846976.';
const TWO_TO_60_INTEGER = '1152921504606846976';

function presentOf(metric: Metric, end: number): string {
  const inTime = end === 0 ? [] : [`event_ms < ${end}`];
  const kind = metricKind(metric);
  if (kind === 1) return inTime[0] ?? '1';
  const names = kind === 2 ? [metric.numerator, metric.denominator] : [metric.measure];
  const has = names.some(name => EVERY_OUTCOME[name] !== undefined) ? [] : [`(${names.map(name => `${placeOf(name)} > 0`).join(' OR ')})`];
  return [...has, ...inTime].join(' AND ') || '1';
}

function contributionOf(metric: Metric): string {
  if (metricKind(metric) === 1) return `toFloat64(status IN (${metric.status.map(quoteString).join(', ')}))`;
  // Adding 0 turns −0 into 0.
  return `${read(valueMeasure(metric))} + 0.`;
}

/** Measures that every outcome has, unless it carries one of that name itself. */
const EVERY_OUTCOME: Readonly<Record<string, string>> = {success: "toFloat64(status = 'ok')", outcomes: '1.'};

/** 0 where the outcome does not carry the measure: there is no element 0, and what is read of it is 0. */
function read(measure: string): string {
  const place = placeOf(measure);
  const usual = EVERY_OUTCOME[measure];
  return usual === undefined ? `numbers[${place}]` : `if(${place} > 0, numbers[${place}], ${usual})`;
}

const placeOf = (measure: string): string => `indexOf(names, ${quoteString(measure)})`;
