import {gammaRatio} from './gamma-ratio.ts';
import {library} from './library.ts';
import type {Alternative} from './read-options.ts';

/**
 * Student's t with real df > 0. The lower tail at −|t| is always computed
 * directly, so both tails keep their relative accuracy.
 */
export const studentT = {
  cdf: (t: number, df: number): number => (t <= 0 ? lowerTail(-t, df) : 1 - lowerTail(t, df)),
  sf: (t: number, df: number): number => (t >= 0 ? lowerTail(t, df) : 1 - lowerTail(-t, df)),
  /** t with P(T <= t) = p; p in [0, 1]. */
  quantile: (p: number, df: number): number => library.studentTQuantile(p, df),
  /** p-value of a t statistic. */
  pValue(t: number, df: number, alternative: Alternative): number {
    if (alternative === 'greater') return studentT.sf(t, df);
    if (alternative === 'less') return studentT.cdf(t, df);
    return Math.min(1, bothTails(Math.abs(t), df));
  },
};

function lowerTail(t: number, df: number): number {
  if (t === Number.POSITIVE_INFINITY) return 0;
  // The library is off by 3e-11 for df = 1 and tiny t; Cauchy has a closed form.
  if (df === 1) return Math.atan2(1, t) / Math.PI;
  const tail = library.studentTCdf(-t, df);
  return tail > 1e-290 ? tail : Math.exp(logBothTails(t, df) - Math.LN2);
}

/** Not twice the lower tail below 1e-290: halving there would round to a subnormal. */
function bothTails(t: number, df: number): number {
  const tail = lowerTail(t, df);
  return tail > 1e-290 || t === Number.POSITIVE_INFINITY ? 2 * tail : Math.exp(logBothTails(t, df));
}

/**
 * log of I_x(a, 1/2), a = df/2, x = df/(df + t²), by Lentz' continued fraction
 * (Numerical Recipes 6.4). Only for far tails, where the library returns 0.
 */
function logBothTails(t: number, df: number): number {
  const a = df / 2;
  const b = 0.5;
  const ratio = (t / df) * t;
  const x = 1 / (1 + ratio);
  // 1/B(a, 1/2) = Γ(a + 1/2) / (Γ(a) √π)
  const logFront =
    -a * Math.log1p(ratio) + b * Math.log(ratio * x) + Math.log(gammaRatio(a) / Math.sqrt(Math.PI));
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m < 100_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d);
    c = 1 + even / c;
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return logFront + Math.log(fraction / a);
}
