import {library} from './library.ts';

/** P(X > x) of a chi-square with real df > 0. */
export function chiSquareSf(x: number, df: number): number {
  if (x <= 0) return 1;
  if (x === Number.POSITIVE_INFINITY) return 0;
  if (df === 1) return library.erfc(Math.sqrt(x / 2));
  if (df === 2) return Math.exp(-x / 2);
  // The library's uniform expansion is wrong by 3e-3 from s = 200 on.
  return df <= 100 ? library.gammaUpper(df / 2, x / 2) : upperGamma(df / 2, x / 2);
}

/** Q(s, x) for s >= 50: series below s, Lentz' continued fraction above (Numerical Recipes 6.2). */
function upperGamma(s: number, x: number): number {
  const mu = (x - s) / s;
  const stirling = 1 / (12 * s) - 1 / (360 * s ** 3) + 1 / (1260 * s ** 5) - 1 / (1680 * s ** 7);
  // x^s e^-x / Γ(s), with the large terms cancelled by hand.
  const front = Math.exp(-s * (mu - Math.log1p(mu)) - stirling) * Math.sqrt(s / (2 * Math.PI));
  return x < s ? 1 - front * lowerSeries(s, x) : front * upperFraction(s, x);
}

function lowerSeries(s: number, x: number): number {
  let term = 1 / s;
  let total = term;
  for (let k = 1; term > total * 1e-17; k++) {
    term *= x / (s + k);
    total += term;
  }
  return total;
}

function upperFraction(s: number, x: number): number {
  let b = x + 1 - s;
  let c = Number.MAX_VALUE;
  let d = 1 / b;
  let fraction = d;
  for (let k = 1; k < 1_000_000; k++) {
    const a = -k * (k - s);
    b += 2;
    d = 1 / (a * d + b);
    c = b + a / c;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return fraction;
}
