import {library} from './library.ts';

const SQRT_2PI = Math.sqrt(2 * Math.PI);

/** Standard normal. Both tails have their own formula, so neither is `1 − other`. */
export const normal = {
  /** P(Z <= z). */
  cdf: (z: number): number => library.erfc(-z / Math.SQRT2) / 2,
  /** P(Z > z). */
  sf: (z: number): number => library.erfc(z / Math.SQRT2) / 2,
  /** z with P(Z <= z) = p; p in [0, 1]. */
  quantile,
};

function quantile(p: number): number {
  if (p <= 0) return p === 0 ? Number.NEGATIVE_INFINITY : Number.NaN;
  if (p >= 1) return p === 1 ? Number.POSITIVE_INFINITY : Number.NaN;
  // The library inverts 2p − 1, which has no digits left in the lower tail.
  return p < 1e-4 ? lowerTailQuantile(p) : library.normalQuantile(p);
}

/** Newton on log P(Z <= z), which is nearly quadratic there: five steps reach the last digit from Mills' ratio. */
function lowerTailQuantile(p: number): number {
  const logP = Math.log(p);
  let z = -Math.sqrt(-2 * logP - Math.log(-4 * Math.PI * logP));
  for (let i = 0; i < 8; i++) {
    const tail = normal.cdf(z);
    const density = Math.exp((-z * z) / 2) / SQRT_2PI;
    // Below 1e-308 the tail is subnormal or 0; the asymptotic start is all there is.
    if (!(tail > 0 && density > 0)) break;
    z -= ((Math.log(tail) - logP) * tail) / density;
  }
  return z;
}
