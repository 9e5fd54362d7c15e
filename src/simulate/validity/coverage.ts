import type {Rng} from '../../core/rng.ts';
import {csat} from '../../stats/csat.ts';
import {cuped} from '../../stats/cuped.ts';
import {mannWhitneyU} from '../../stats/mann-whitney-u.ts';
import {nps} from '../../stats/nps.ts';
import {npsDifference} from '../../stats/nps-difference.ts';
import {pairedT} from '../../stats/paired-t.ts';
import {quantileCi} from '../../stats/quantile-ci.ts';
import {quantileDifference} from '../../stats/quantile-difference.ts';
import {ratioMetric} from '../../stats/ratio-metric.ts';
import {relativeLift} from '../../stats/relative-lift.ts';
import {twoProportion} from '../../stats/two-proportion.ts';
import {welchT} from '../../stats/welch-t.ts';
import {wilcoxonSignedRank} from '../../stats/wilcoxon-signed-rank.ts';
import {winsorisedMeanDifference} from '../../stats/winsorised-mean-difference.ts';
import {bernoulli, gauss, HEAVY_MEAN, heavy, replication, sample} from './draws.ts';

type Interval = readonly [low: number, high: number];

export type CoverageCase = {
  readonly name: string;
  /** What the interval is about. */
  readonly truth: number;
  /** A 95 % interval of fresh data; null when it was not computable. */
  readonly interval: (rng: Rng) => Interval | null;
  /**
   * How far from 95 % the method itself lies on such data: discrete methods are
   * conservative, asymptotic ones on skewed data a little short.
   */
  readonly allowance?: {readonly below?: number; readonly above?: number};
};

export type CoverageResult = {readonly covered: number; readonly computed: number; readonly share: number};

export function coverageOf({interval, truth}: CoverageCase, {reps, seed0}: {readonly reps: number; readonly seed0: number}): CoverageResult {
  let [covered, computed] = [0, 0];
  for (let k = 0; k < reps; k++) {
    const found = interval(replication(seed0, k));
    if (found === null) continue;
    computed++;
    covered += found[0] <= truth && truth <= found[1] ? 1 : 0;
  }
  return {covered, computed, share: covered / computed};
}

type Test = {readonly status: string; readonly ci?: Interval};
const ciOf = (test: Test): Interval | null => (test.status === 'ok' ? (test.ci ?? null) : null);
const at = (n: number, mean: number, sd: number) => (rng: Rng) => sample(n, rng, r => mean + sd * gauss(r));
const scores = (n: number, shift: number) => (rng: Rng) => sample(n, rng, r => Math.min(10, Math.max(0, Math.floor(11 * r.next()) + (r.next() < shift ? 1 : 0))));

/** Φ⁻¹(0.95) and e to it: quantiles of the lognormal draws. */
const Z95 = 1.6448536269514722;

const meansCases: readonly CoverageCase[] = [
  {name: 'paired t, n = 30', truth: 0.3, interval: rng => ciOf(pairedT({differences: at(30, 0.3, 1)(rng)}))},
  {name: 'Welch, 20 against 60, sd 1 and 3', truth: 0.5, interval: rng => ciOf(welchT({a: at(20, 1.5, 1)(rng), b: at(60, 1, 3)(rng)}))},
  {
    name: 'Welch, skewed (1…100), 200 an arm',
    truth: 0,
    interval: rng => ciOf(welchT({a: sample(200, rng, heavy), b: sample(200, rng, heavy)})),
    allowance: {above: 0.01},
  },
  {
    name: 'one-arm mean of skewed data, n = 400',
    truth: HEAVY_MEAN,
    interval: rng => ciOf(pairedT({differences: sample(400, rng, heavy)})),
    allowance: {below: 0.02},
  },
  {name: 'relative lift, 400 an arm', truth: 0.1, interval: rng => ciOf(relativeLift({a: at(400, 11, 4)(rng), b: at(400, 10, 4)(rng)}))},
  {
    name: 'CUPED, 100 an arm, correlation 0.8',
    truth: 0.2,
    interval: rng => {
      const arm = (mean: number) => {
        const pre = sample(100, rng, gauss);
        return {pre, post: pre.map(x => mean + 0.8 * x + 0.6 * gauss(rng))};
      };
      return ciOf(cuped({a: arm(0.2), b: arm(0)}));
    },
  },
  {
    name: 'ratio of sums, 200 units an arm',
    truth: 0,
    interval: rng => {
      const arm = () => {
        const denominator = sample(200, rng, r => 1 + Math.floor(20 * r.next()));
        const rate = sample(200, rng, r => r.next());
        return {denominator, numerator: denominator.map((n, i) => n * (rate[i] ?? 0) + gauss(rng))};
      };
      return ciOf(ratioMetric({a: arm(), b: arm()}));
    },
  },
  {
    name: 'winsorised means at 99 %, 300 an arm, skewed',
    truth: 0,
    interval: rng => ciOf(winsorisedMeanDifference({a: sample(300, rng, heavy), b: sample(300, rng, heavy)})),
    allowance: {above: 0.01},
  },
];

const rankCases: readonly CoverageCase[] = [
  {name: 'Hodges–Lehmann of signed ranks, n = 40', truth: 0.3, interval: rng => ciOf(wilcoxonSignedRank({differences: at(40, 0.3, 1)(rng)})), allowance: {above: 0.01}},
  {name: 'Hodges–Lehmann of signed ranks, n = 120', truth: 0.3, interval: rng => ciOf(wilcoxonSignedRank({differences: at(120, 0.3, 1)(rng)}))},
  {
    name: 'quantile difference p50, lognormal, 400 an arm',
    truth: Math.exp(0.2) - 1,
    interval: rng => ciOf(quantileDifference({a: at(400, 0.2, 1)(rng).map(Math.exp), b: at(400, 0, 1)(rng).map(Math.exp)}, {quantile: 0.5})),
    allowance: {above: 0.015, below: 0.01},
  },
  {
    name: 'quantile difference p95, lognormal, 1 000 an arm',
    truth: 0,
    interval: rng => ciOf(quantileDifference({a: at(1000, 0, 1)(rng).map(Math.exp), b: at(1000, 0, 1)(rng).map(Math.exp)}, {quantile: 0.95})),
    allowance: {above: 0.03, below: 0.01},
  },
  {name: 'quantile interval p95, lognormal, n = 500', truth: Math.exp(Z95), interval: rng => ciOf(quantileCi({x: at(500, 0, 1)(rng).map(Math.exp)}, {quantile: 0.95})), allowance: {above: 0.03}},
];

const shareCases: readonly CoverageCase[] = [
  ...(['newcombe', 'agresti-caffo', 'wald'] as const).map(
    (ciMethod): CoverageCase => ({
      name: `two proportions (${ciMethod}), 30 % and 25 %, 400 an arm`,
      truth: 0.05,
      interval: rng => {
        const count = (p: number): number => sample(400, rng, bernoulli(p)).reduce((x, y) => x + y, 0);
        return ciOf(twoProportion({a: {successes: count(0.3), n: 400}, b: {successes: count(0.25), n: 400}}, {ciMethod}));
      },
      allowance: {below: 0.005, above: 0.005},
    }),
  ),
  {
    name: 'two proportions (newcombe), 1 % each, 300 an arm',
    truth: 0,
    interval: rng => {
      const count = (): number => sample(300, rng, bernoulli(0.01)).reduce((x, y) => x + y, 0);
      return ciOf(twoProportion({a: {successes: count(), n: 300}, b: {successes: count(), n: 300}}));
    },
    allowance: {above: 0.05},
  },
  {name: 'NPS of uniform scores, n = 200', truth: ((2 - 7) / 11) * 100, interval: rng => ciOf(nps({scores: scores(200, 0)(rng)})), allowance: {below: 0.005}},
  {name: 'NPS difference, 200 an arm', truth: 0, interval: rng => ciOf(npsDifference({a: scores(200, 0.3)(rng), b: scores(200, 0.3)(rng)}))},
  {name: 'CSAT (Wilson), n = 150, 40 % satisfied', truth: 0.4, interval: rng => ciOf(csat({scores: sample(150, rng, r => 1 + Math.floor(5 * r.next()))})), allowance: {below: 0.01, above: 0.015}},
];

/** Every interval that a verdict or `assay stat` gives, on data it is meant for. */
export const COVERAGE_CASES: readonly CoverageCase[] = [...meansCases, ...rankCases, ...shareCases];

/** Mann–Whitney has no interval: its type I error at 5 %, on skewed data with ties. */
export function rankTestUnderNull({reps, seed0}: {readonly reps: number; readonly seed0: number}): number {
  let claimed = 0;
  for (let k = 0; k < reps; k++) {
    const rng = replication(seed0, k);
    const values = (): Float64Array => sample(60, rng, heavy).map(value => Math.round(value));
    const test = mannWhitneyU({a: values(), b: values()});
    claimed += test.status === 'ok' && test.pValue < 0.05 ? 1 : 0;
  }
  return claimed / reps;
}
