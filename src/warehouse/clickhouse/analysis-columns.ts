import type {Metric} from '../../core/experiment.ts';
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
  readonly values: string;
  readonly denominators: string;
};

/** More than an experiment has by far: they are bits of one integer. */
export const METRICS_MAX = 64;

/** @param ends by metric: outcomes of the phase count before it, in ms; 0 for ever */
export function metricColumns(metrics: readonly Metric[], ends: readonly number[]): MetricColumns {
  const isRatio = metrics.some(metric => metricKind(metric) === 2);
  return {
    present: metrics.length === 0 ? 'toUInt64(0)' : metrics.map((metric, i) => `bitShiftLeft(toUInt64(${presentOf(metric, ends[i] ?? 0)}), ${i})`).join(' + '),
    values: list(metrics.map(contributionOf)),
    denominators: isRatio ? list(metrics.map(metric => (metricKind(metric) === 2 ? orZero(read(metric.denominator)) : '0.'))) : 'CAST([], \'Array(Float64)\')',
  };
}

/**
 * Sums of one row per unit over `analysis_outcomes`, one element per metric. What every
 * outcome has needs no test of its own: then the same sums serve several metrics.
 * @param isWeighted events have several weights: sums are of weight · q, six digits more than q
 */
export function totalColumns(metrics: readonly Metric[], ends: readonly number[], isWeighted: boolean): string {
  const each = (column: (metric: Metric, has: string | null, i: number) => string): string =>
    metrics.map((metric, i) => column(metric, presentOf(metric, ends[i] ?? 0) === '1' ? null : `bitTest(present, ${i})`, i)).join(', ');
  const q = (source: string, {scale}: Metric, i: number): string => {
    const plain = quantised(`${source}[${i + 1}]`, 10 ** scale);
    return isWeighted ? `(${plain}) * weight` : plain;
  };
  const count = (has: string | null): string => (has === null ? 'count()' : `countIf(${has})`);
  const sum = (value: string, has: string | null): string => (has === null ? `sum(${value})` : `sumIf(${value}, ${has})`);
  const least = (value: string, has: string | null): string => (has === null ? `min(${value})` : `min(if(${has}, ${value}, ${NEVER_MS}))`);
  const weight = (has: string | null): string => sum('toInt128(weight)', has);
  // Ones are counted instead of summed.
  const shares = (metric: Metric, has: string | null, i: number): string => `toInt128(${count([has, `value[${i + 1}] = 1`].filter(one => one !== null).join(' AND '))}) * ${10 ** metric.scale}`;
  return [
    `CAST([${each((_, has) => count(has))}], 'Array(UInt64)') AS n`,
    `CAST([${each((metric, has, i) => (metricKind(metric) === 1 && !isWeighted ? shares(metric, has, i) : sum(q('value', metric, i), has)))}], 'Array(Int128)') AS sum_q`,
    `CAST([${each((metric, has, i) => (metricKind(metric) === 2 ? sum(q('denominator', metric, i), has) : isWeighted ? weight(has) : `toInt128(${count(has)})`))}], 'Array(Int128)') AS denominator_q`,
    `CAST([${each((_, has) => least('event_ms', has))}], 'Array(Int64)') AS from_ms`,
    `CAST([${each((_, has) => (has === null ? 'max(event_ms)' : `max(if(${has}, event_ms, -1))`))}], 'Array(Int64)') AS to_ms`,
    `CAST([${isWeighted ? each((_, has) => weight(has)) : ''}], 'Array(Int128)') AS weights`,
    `CAST([${isWeighted ? each((_, has) => least('weight', has)) : ''}], 'Array(Int64)') AS weight_least`,
  ].join(',\n  ');
}

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
 */
export function quantised(value: string, multiplier: number): string {
  const whole = `roundBankers(${value} * ${literal(multiplier)})`;
  const high = `trunc(${whole} / ${TWO_TO_60})`;
  return `toInt128(toInt64(${high})) * ${TWO_TO_60_INTEGER} + toInt64(${whole} - ${high} * ${TWO_TO_60})`;
}

const TWO_TO_60 = '1152921504606846976.';
const TWO_TO_60_INTEGER = '1152921504606846976';

const list = (columns: readonly string[]): string => `CAST([${columns.join(', ')}], 'Array(Float64)')`;

function presentOf(metric: Metric, end: number): string {
  const inTime = end === 0 ? [] : [`event_ms < ${end}`];
  const kind = metricKind(metric);
  if (kind === 1) return inTime[0] ?? '1';
  const names = kind === 2 ? [metric.numerator, metric.denominator] : [metric.measure];
  const has = names.some(name => EVERY_OUTCOME[name] !== undefined) ? [] : [`(${names.map(name => `NOT isNaN(${read(name)})`).join(' OR ')})`];
  return [...has, ...inTime].join(' AND ') || '1';
}

function contributionOf(metric: Metric): string {
  if (metricKind(metric) === 1) return `toFloat64(status IN (${metric.status.map(quoteString).join(', ')}))`;
  // Adding 0 turns −0 into 0.
  return `${orZero(read(valueMeasure(metric)))} + 0.`;
}

/** Measures that every outcome has, unless it carries one of that name itself. */
const EVERY_OUTCOME: Readonly<Record<string, string>> = {success: "toFloat64(status = 'ok')", outcomes: '1.'};

function read(measure: string): string {
  const name = quoteString(measure);
  return `if(has(names, ${name}), numbers[indexOf(names, ${name})], ${EVERY_OUTCOME[measure] ?? 'nan'})`;
}

const orZero = (value: string): string => `if(isNaN(${value}), 0., ${value})`;
