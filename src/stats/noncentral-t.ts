import {chiSquareSf} from './chi-square-distribution.ts';
import {normal} from './normal.ts';

/**
 * P(T > t) of the noncentral t with real df > 0 and noncentrality delta:
 * T = (Z + δ)/S with S² = χ²/df, so P(T > t) = E[Φ(δ − t·S)]. The expectation is
 * a trapezoid sum over u = log S, where the integrand is smooth and decays fast
 * at both ends, so that the error falls exponentially with the step (Trefethen
 * and Weideman 2014). The weights are normalised by their own sum: no gamma function.
 */
export function noncentralTSf(t: number, df: number, delta: number): number {
  const spread = Math.sqrt(1 / (2 * df));
  if (df > 1e12) return normal.cdf(delta - t);
  if (delta < -38 && t >= 0) return 0;
  // The step would shrink with 1/δ: sum over Z instead, in which S is then the slow part.
  if (delta > 50 && t * spread > 2) return sumOverNormal(t, df, delta);
  if (delta - t * (1 + 40 * spread) > 40) return 1;
  const step = Math.min(0.1, spread / 4, 0.5 / Math.max(1, Math.abs(delta)));
  let weights = 0;
  let total = 0;
  const add = (u: number): boolean => {
    const exponent = df * (u - Math.expm1(2 * u) / 2);
    const weight = Math.exp(exponent);
    weights += weight;
    total += weight * normal.cdf(delta - t * Math.exp(u));
    return exponent > -80;
  };
  add(0);
  for (let k = 1; add(k * step); k++);
  for (let k = 1; add(-k * step); k++);
  return total / weights;
}

/** E[P(S < (δ + Z)/t)], with absolute error below 1e-15. */
function sumOverNormal(t: number, df: number, delta: number): number {
  let weights = 0;
  let total = 0;
  for (let k = -90; k <= 90; k++) {
    const z = k / 10;
    const weight = Math.exp((-z * z) / 2);
    const bound = (delta + z) / t;
    weights += weight;
    total += weight * (1 - chiSquareSf(df * bound * bound, df));
  }
  return total / weights;
}
