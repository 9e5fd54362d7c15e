import {attempt, type Outcome, refuse} from './outcome.ts';
import {type Numbers, readNumbers, readRecord, requireFinite} from './read-input.ts';
import {bool, num, readOptions} from './read-options.ts';

export interface EwmaOptions {
  /** Exactly one of alpha (0 < α <= 1), span (>= 1, α = 2/(span + 1)) and halfLife (> 0, in points). */
  readonly alpha: number | undefined;
  readonly span: number | undefined;
  readonly halfLife: number | undefined;
  /** Divide by the weights given so far (pandas' default) instead of starting at the first value. */
  readonly adjust: boolean;
  /** Value before the first point; the first point itself by default. */
  readonly start: number | undefined;
  /** With sigma and start: control limits start ± limitK·sigma·√(α/(2−α)·(1−(1−α)^2t)). */
  readonly limitK: number | undefined;
  readonly sigma: number | undefined;
}

export interface EwmaResult {
  readonly values: readonly number[];
  /** Only with `limitK`. */
  readonly lower?: readonly number[];
  readonly upper?: readonly number[];
  /** Strictly beyond a limit; only with `limitK`. */
  readonly breach?: readonly boolean[];
}

/**
 * Exponentially weighted moving average, with control limits on request.
 * Errors: `non_finite`, `invalid_argument`. Source: Roberts (1959), NIST e-Handbook 6.3.2.4; agrees with pandas `ewm`.
 */
export function ewma(input: {readonly series: Numbers}, options?: Partial<EwmaOptions>): Outcome<EwmaResult> {
  return attempt((): EwmaResult => {
    const chosen = readOptions<EwmaOptions>(options, {
      alpha: num(undefined, 'above 0 and at most 1', value => value > 0 && value <= 1),
      span: num(undefined, '1 or more', value => value >= 1),
      halfLife: num(undefined, 'above 0', value => value > 0),
      adjust: bool(false),
      start: num(undefined, 'a finite number', () => true),
      limitK: num(undefined, '0 or more', value => value >= 0),
      sigma: num(undefined, 'above 0', value => value > 0),
    });
    const alpha = alphaOf(chosen);
    if (chosen.adjust && chosen.start !== undefined) {
      refuse(
        'invalid_argument',
        'start is given with adjust true: a weighted average has no start; set adjust to false',
      );
    }
    const limits = limitsOf(chosen);
    const series = readNumbers(readRecord(input, 'input')['series'], 'series');
    requireFinite(series, 'series');
    const values = chosen.adjust ? weighted(series, alpha) : recursive(series, alpha, chosen.start);
    return limits === undefined ? {values} : {values, ...bands(values, limits, alpha)};
  });
}

function alphaOf({alpha, span, halfLife}: EwmaOptions): number {
  const given = [alpha, span, halfLife].filter(value => value !== undefined).length;
  if (given !== 1)
    refuse('invalid_argument', `${given} of alpha, span and halfLife are given: give exactly one`);
  if (alpha !== undefined) return alpha;
  return span !== undefined ? 2 / (span + 1) : -Math.expm1(-Math.LN2 / (halfLife as number));
}

interface ChartLimits {
  readonly centre: number;
  readonly width: number;
}

function limitsOf({limitK, sigma, start}: EwmaOptions): ChartLimits | undefined {
  if (limitK === undefined && sigma === undefined) return undefined;
  if (limitK === undefined || sigma === undefined || start === undefined) {
    return refuse(
      'invalid_argument',
      'limits need limitK, sigma and start together: give the missing ones or none',
    );
  }
  return {centre: start, width: limitK * sigma};
}

function recursive(series: Float64Array, alpha: number, start: number | undefined): number[] {
  let current = start ?? series[0] ?? 0;
  return Array.from(series, (value, t) => {
    if (t > 0 || start !== undefined) current += alpha * (value - current);
    return current;
  });
}

function weighted(series: Float64Array, alpha: number): number[] {
  let total = 0;
  let weight = 0;
  return Array.from(series, value => {
    total = value + (1 - alpha) * total;
    weight = 1 + (1 - alpha) * weight;
    return total / weight;
  });
}

function bands(values: readonly number[], {centre, width}: ChartLimits, alpha: number) {
  const half = values.map(
    (_, t) => width * Math.sqrt((alpha / (2 - alpha)) * -Math.expm1(2 * (t + 1) * Math.log1p(-alpha))),
  );
  return {
    lower: half.map(distance => centre - distance),
    upper: half.map(distance => centre + distance),
    breach: values.map((value, t) => Math.abs(value - centre) > (half[t] as number)),
  };
}
