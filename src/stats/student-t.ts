import {gammaRatio} from './gamma-ratio.ts';
import {library} from './library.ts';
import {normal} from './normal.ts';
import type {Alternative} from './read-options.ts';

/**
 * Student's t with real df > 0. The lower tail at −|t| is always computed
 * directly, so both tails keep their relative accuracy.
 */
export const studentT = {
  cdf: (t: number, df: number): number => (t <= 0 ? lowerTail(-t, df) : 1 - lowerTail(t, df)),
  sf: (t: number, df: number): number => (t >= 0 ? lowerTail(t, df) : 1 - lowerTail(-t, df)),
  /** t with P(T <= t) = p; p in [0, 1]. */
  quantile,
  /** p-value of a t statistic. */
  pValue(t: number, df: number, alternative: Alternative): number {
    if (alternative === 'greater') return studentT.sf(t, df);
    if (alternative === 'less') return studentT.cdf(t, df);
    return Math.min(1, bothTails(Math.abs(t), df));
  },
};

/** From here on four terms of Cornish and Fisher are exact to the last digit, also at p = 1e-300. */
const LARGE_DF = 1e6;
/** Below this t the series around 0 is, and above e^(this) of t²/df the first term of the tail. */
const CENTRE = 1e-3;
const FAR_LOG = 39;
/** The library squares t. */
const T_MAX = 1e150;

/** The library gives 0 for p near 1/2 (df = 1e8: within 1e-5 of it) and −Infinity in tails it should reach. */
function quantile(p: number, df: number): number {
  if (!(p > 0 && p < 1)) return library.studentTQuantile(p, df);
  if (df >= LARGE_DF) return fromNormal(normal.quantile(p), df);
  const half = df / 2;
  const log1OverBeta = Math.log(gammaRatio(half) / Math.sqrt(Math.PI));
  // P − 1/2 over the density at 0: what t is to first order.
  const u = ((p - 0.5) * Math.sqrt(df)) / Math.exp(log1OverBeta);
  if (Math.abs(u) < CENTRE) return u + (u * u * u * (df + 1)) / (6 * df) + (u ** 5 * (7 * df * df + 8 * df + 1)) / (120 * df * df);
  const logX = (Math.log(2 * Math.min(p, 1 - p) * half) - log1OverBeta) / half;
  if (logX < -FAR_LOG) return Math.sign(p - 0.5) * Math.exp((Math.log(df) - logX) / 2);
  return library.studentTQuantile(p, df);
}

/** Cornish and Fisher (1938), the expansion of t in 1/df around a normal quantile. */
function fromNormal(z: number, df: number): number {
  const square = z * z;
  const first = (z * (square + 1)) / (4 * df);
  const second = (z * ((5 * square + 16) * square + 3)) / 96 / df / df;
  const third = (z * (((3 * square + 19) * square + 17) * square - 15)) / 384 / df / df / df;
  return z + first + second + third;
}

function lowerTail(t: number, df: number): number {
  if (t === Number.POSITIVE_INFINITY) return 0;
  // The library is off by 3e-11 for df = 1 and tiny t; Cauchy has a closed form.
  if (df === 1) return Math.atan2(1, t) / Math.PI;
  const tail = t < T_MAX ? library.studentTCdf(-t, df) : 0;
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
  // t² alone may overflow where the tail of few degrees of freedom does not vanish.
  const isHuge = !Number.isFinite(ratio);
  const logRatio = isHuge ? 2 * Math.log(t) - Math.log(df) : Math.log1p(ratio);
  // 1/B(a, 1/2) = Γ(a + 1/2) / (Γ(a) √π)
  const logFront =
    -a * logRatio + (isHuge ? 0 : b * Math.log(ratio * x)) + Math.log(gammaRatio(a) / Math.sqrt(Math.PI));
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
