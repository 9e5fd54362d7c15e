import {noncentralTSf} from './noncentral-t.ts';
import {normal} from './normal.ts';
import {attempt, type Outcome, refuse} from './outcome.ts';
import {readReal, readRecord, requireAtLeast} from './read-input.ts';
import {type Alternative, alternative, describe, oneOf, readOptions} from './read-options.ts';
import {studentT} from './student-t.ts';
import {cohensH} from './two-proportion.ts';

export type Design = 'paired-t' | 'welch-t' | 'two-proportion';

/** What is known; the one to be solved for is left out. */
export interface PowerInput {
  readonly design: Design;
  readonly alpha?: number;
  /** Pairs, or observations of the first arm. */
  readonly n?: number;
  readonly power?: number;
  /** Cohen's dz, d or h. For proportions, `p1` and `p2` may stand for it. */
  readonly effectSize?: number;
  readonly p1?: number;
  readonly p2?: number;
  /** Second arm over first; 1 by default. */
  readonly ratio?: number;
}

export interface PowerOptions {
  readonly solve: 'power' | 'n' | 'effectSize';
  readonly alternative: Alternative;
}

export interface PowerResult {
  readonly power?: number;
  readonly n?: number;
  /** n rounded up to whole observations. */
  readonly nCeil?: number;
  readonly effectSize?: number;
}

interface Plan {
  readonly design: Design;
  readonly alpha: number;
  readonly ratio: number;
  readonly alternative: Alternative;
}

/**
 * Power, sample size or smallest detectable effect of a design.
 * Errors: `non_finite`, `insufficient_data` (n < 2), `invalid_argument` (also an effect that no n reaches).
 * Source: noncentral t with both tails counted (statsmodels TTestPower, R `power.t.test(strict = TRUE)`); Cohen (1988) for h.
 */
export function power(input: PowerInput, options?: Partial<PowerOptions>): Outcome<PowerResult> {
  return attempt((): PowerResult => {
    const chosen = readOptions<PowerOptions>(options, {
      alternative,
      solve: oneOf(['power', 'n', 'effectSize'], 'power'),
    });
    const given = readRecord(input, 'input');
    const plan = readPlan(given, chosen.alternative);
    if (chosen.solve === 'power') return {power: powerOf(plan, readN(given, plan), readEffect(given, plan))};
    const target = readFraction(given['power'], 'power');
    if (chosen.solve === 'effectSize') return {effectSize: solveEffect(plan, readN(given, plan), target)};
    const n = solveN(plan, readEffect(given, plan), target);
    return {n, nCeil: Math.ceil(n)};
  });
}

function readPlan(given: Record<string, unknown>, side: Alternative): Plan {
  const {design} = given;
  if (design !== 'paired-t' && design !== 'welch-t' && design !== 'two-proportion') {
    return refuse(
      'invalid_argument',
      `design is ${describe(design)}: it must be one of paired-t, welch-t, two-proportion`,
    );
  }
  const alpha = given['alpha'] === undefined ? 0.05 : readFraction(given['alpha'], 'alpha');
  const ratio = given['ratio'] === undefined ? 1 : readReal(given['ratio'], 'ratio');
  if (ratio <= 0) refuse('invalid_argument', `ratio is ${ratio}: it must be above 0 (second arm over first)`);
  return {design, alpha, ratio, alternative: side};
}

function readFraction(value: unknown, field: string): number {
  const fraction = readReal(value, field);
  return fraction > 0 && fraction < 1
    ? fraction
    : refuse('invalid_argument', `${field} is ${fraction}: it must be above 0 and below 1`);
}

function readN(given: Record<string, unknown>, plan: Plan): number {
  const n = readReal(given['n'], 'n');
  if (n < 0) refuse('invalid_argument', `n is ${n}: it must be 0 or more`);
  requireAtLeast(n, plan.design === 'two-proportion' ? 1 : 2, 'n');
  return n;
}

function readEffect(given: Record<string, unknown>, plan: Plan): number {
  if (plan.design !== 'two-proportion' || given['effectSize'] !== undefined)
    return readReal(given['effectSize'], 'effectSize');
  const [p1, p2] = ['p1', 'p2'].map(field => {
    const share = readReal(given[field], field);
    return share >= 0 && share <= 1
      ? share
      : refuse('invalid_argument', `${field} is ${share}: a proportion lies between 0 and 1`);
  }) as [number, number];
  return cohensH(p1, p2);
}

function powerOf(plan: Plan, n: number, effect: number): number {
  const {design, alpha, ratio, alternative: side} = plan;
  const second = n * ratio;
  const delta = effect * (design === 'paired-t' ? Math.sqrt(n) : Math.sqrt(n / (1 + n / second)));
  const share = side === 'two-sided' ? alpha / 2 : alpha;
  if (design === 'two-proportion') {
    const critical = -normal.quantile(share);
    return oneOrBoth(side, {
      upper: () => normal.cdf(delta - critical),
      lower: () => normal.cdf(-delta - critical),
    });
  }
  // Beyond 1e12 the t distribution is the normal one to the last digit.
  const df = Math.min(1e12, design === 'paired-t' ? n - 1 : n + second - 2);
  const critical = -studentT.quantile(share, df);
  return oneOrBoth(side, {
    upper: () => noncentralTSf(critical, df, delta),
    lower: () => noncentralTSf(critical, df, -delta),
  });
}

function oneOrBoth(side: Alternative, {upper, lower}: {upper: () => number; lower: () => number}): number {
  if (side === 'greater') return upper();
  return side === 'less' ? lower() : Math.min(1, upper() + lower());
}

function solveN(plan: Plan, effect: number, target: number): number {
  if (effect === 0)
    refuse(
      'invalid_argument',
      'effectSize is 0: no sample size detects it; give the smallest effect that matters',
    );
  requireReachable(plan, target);
  if ((plan.alternative === 'greater' && effect < 0) || (plan.alternative === 'less' && effect > 0)) {
    refuse(
      'invalid_argument',
      `effectSize is ${effect}: alternative ${plan.alternative} never finds it; turn one of them round`,
    );
  }
  // The smallest n with any degrees of freedom; df below 0.5 is no design.
  const least =
    plan.design === 'two-proportion' ? 1e-9 : plan.design === 'paired-t' ? 1.5 : 2.5 / (1 + plan.ratio);
  return solve(n => powerOf(plan, n, effect) >= target, {least, most: 1e15, name: 'n'});
}

function solveEffect(plan: Plan, n: number, target: number): number {
  requireReachable(plan, target);
  const sign = plan.alternative === 'less' ? -1 : 1;
  return (
    sign *
    solve(effect => powerOf(plan, n, sign * effect) >= target, {least: 1e-12, most: 1e9, name: 'effectSize'})
  );
}

function requireReachable(plan: Plan, target: number): void {
  if (target <= plan.alpha)
    refuse('invalid_argument', `power is ${target}: it must be above alpha, which is ${plan.alpha}`);
}

/** Smallest value that holds, to 1e-13 relative: doubling, then bisection. */
function solve(
  holds: (value: number) => boolean,
  {least, most, name}: {least: number; most: number; name: string},
): number {
  let low = least;
  if (holds(low)) return low;
  let high = Math.max(4, 2 * least);
  while (!holds(high)) {
    if (high > most)
      refuse(
        'invalid_argument',
        `no ${name} up to ${most} reaches that power: ask for less power or a larger effect`,
      );
    low = high;
    high *= 2;
  }
  while (high - low > 1e-13 * high) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
