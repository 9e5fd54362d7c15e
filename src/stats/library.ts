/**
 * The only file that imports the statistics libraries, jstat and @stdlib. @stdlib is CommonJS with
 * `export =` types that differ from package to package; here each function gets
 * one plain signature. Which arguments each of them is accurate for was measured;
 * the distribution files beside this one take over where it is not.
 */
import stdlibErfc from '@stdlib/math-base-special-erfc';
import stdlibGammainc from '@stdlib/math-base-special-gammainc';
import stdlibNormalQuantile from '@stdlib/stats-base-dists-normal-quantile';
import stdlibTCdf from '@stdlib/stats-base-dists-t-cdf';
import stdlibTQuantile from '@stdlib/stats-base-dists-t-quantile';
import jstat from 'jstat';

const {jStat} = jstat;

/** Where jstat's normal quantile was measured to keep 13 digits: not in the far tails, and not where the quantile is near 0. */
const JSTAT_TAIL_MIN = 1e-4;
const JSTAT_CENTRE_MIN = 0.01;

export const library = {
  /** Complementary error function; relative error below 2e-13 for 0 <= x <= 26.5. */
  erfc: (x: number): number => stdlibErfc(x),
  /** Regularised upper incomplete gamma function Q(s, x); exact to 4e-15 for s <= 100, wrong by 3e-3 from s = 200. */
  gammaUpper: (s: number, x: number): number => stdlibGammainc(x, s, true, true),
  /**
   * Standard normal quantile. jstat: relative error below 2e-14 for 1e-4 <= p <= 0.9999 except around 1/2,
   * where its absolute error of 1e-16 is all there is; there @stdlib has every digit. Neither is good for
   * p < 1e-5 (@stdlib is -Infinity below 1e-17).
   */
  normalQuantile: (p: number): number => {
    const isNear = Math.abs(p - 0.5) < JSTAT_CENTRE_MIN || p < JSTAT_TAIL_MIN || p > 1 - JSTAT_TAIL_MIN;
    return isNear ? stdlibNormalQuantile(p, 0, 1) : jStat.normal.inv(p, 0, 1);
  },
  /** Student's t, P(T <= t); returns 0 below about 1e-306. */
  studentTCdf: (t: number, df: number): number => stdlibTCdf(t, df),
  /** Student's t quantile. */
  studentTQuantile: (p: number, df: number): number => stdlibTQuantile(p, df),
};
