/**
 * The only file that imports the statistics library. @stdlib is CommonJS with
 * `export =` types that differ from package to package; here each function gets
 * one plain signature. Which arguments each of them is accurate for was measured;
 * the distribution files beside this one take over where it is not.
 */
import stdlibErfc from '@stdlib/math-base-special-erfc';
import stdlibGammainc from '@stdlib/math-base-special-gammainc';
import stdlibNormalQuantile from '@stdlib/stats-base-dists-normal-quantile';
import stdlibTCdf from '@stdlib/stats-base-dists-t-cdf';
import stdlibTQuantile from '@stdlib/stats-base-dists-t-quantile';

export const library = {
  /** Complementary error function; relative error below 2e-13 for 0 <= x <= 26.5. */
  erfc: (x: number): number => stdlibErfc(x),
  /** Regularised upper incomplete gamma function Q(s, x); exact to 4e-15 for s <= 100, wrong by 3e-3 from s = 200. */
  gammaUpper: (s: number, x: number): number => stdlibGammainc(x, s, true, true),
  /** Standard normal quantile; loses digits below p = 1e-5 and is -Infinity below 1e-17. */
  normalQuantile: (p: number): number => stdlibNormalQuantile(p, 0, 1),
  /** Student's t, P(T <= t); returns 0 below about 1e-306. */
  studentTCdf: (t: number, df: number): number => stdlibTCdf(t, df),
  /** Student's t quantile. */
  studentTQuantile: (p: number, df: number): number => stdlibTQuantile(p, df),
};
