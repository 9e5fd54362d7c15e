import {cuped} from '../../stats/cuped.ts';
import {pairedT} from '../../stats/paired-t.ts';
import {ratioMetric} from '../../stats/ratio-metric.ts';
import {welchT} from '../../stats/welch-t.ts';
import {wilcoxonSignedRank} from '../../stats/wilcoxon-signed-rank.ts';
import {gauss, replication, sample, studentT3} from './draws.ts';

export type PowerScenario = {readonly reps: number; readonly seed0: number};
export type PairedPower = {readonly pairedT: number; readonly wilcoxon: number; readonly welch: number};

const ALPHA = 0.05;
const PAIRS = 40;
/** sd of the noise around an item's own difficulty, which has sd 1. */
const NOISE = 0.4;

/** 40 items whose difficulty N(0, 1) both variants share, noise 0.4·t₃ each: how often each test sees `effect`. */
export function pairedPower({reps, seed0}: PowerScenario, effect: number): PairedPower {
  let [paired, ranks, unpaired] = [0, 0, 0];
  for (let k = 0; k < reps; k++) {
    const rng = replication(seed0, k);
    const base = sample(PAIRS, rng, gauss);
    const b = base.map(value => value + NOISE * studentT3(rng));
    const a = base.map(value => value + NOISE * studentT3(rng) + effect);
    paired += isClaimed(pairedT({a, b}));
    ranks += isClaimed(wilcoxonSignedRank({a, b}));
    unpaired += isClaimed(welchT({a, b}));
  }
  return {pairedT: paired / reps, wilcoxon: ranks / reps, welch: unpaired / reps};
}

/** 200 units an arm, covariate with correlation 0.8: type I error and the share of variance left (theory: 1 − 0.8²). */
export function cupedUnderNull({reps, seed0}: PowerScenario): {typeI: number; varianceRatio: number} {
  const rho = 0.8;
  let [claimed, ratio] = [0, 0];
  for (let k = 0; k < reps; k++) {
    const rng = replication(seed0, k);
    const arm = () => {
      const pre = sample(200, rng, gauss);
      return {pre, post: pre.map(x => rho * x + Math.sqrt(1 - rho * rho) * gauss(rng))};
    };
    const test = cuped({a: arm(), b: arm()});
    claimed += isClaimed(test);
    ratio += test.status === 'ok' ? 1 - test.varianceReduction : 0;
  }
  return {typeI: claimed / reps, varianceRatio: ratio / reps};
}

/** 200 users an arm with 1–39 requests each and a rate of their own (Beta(2, 6)): per-request z against the delta method. */
export function ratioUnderNull({reps, seed0}: PowerScenario): {naivePerRequest: number; deltaMethod: number} {
  let [naive, delta] = [0, 0];
  for (let k = 0; k < reps; k++) {
    const rng = replication(seed0, k);
    const arm = () => {
      const denominator = sample(200, rng, r => 1 + Math.floor(39 * r.next()));
      // Beta(2, 6) is the second smallest of seven uniforms.
      const rates = sample(200, rng, r => Array.from({length: 7}, () => r.next()).sort((x, y) => x - y)[1] ?? 0);
      const numerator = denominator.map((n, i) => sample(n, rng, r => (r.next() < (rates[i] ?? 0) ? 1 : 0)).reduce((x, y) => x + y, 0));
      return {numerator, denominator};
    };
    const [a, b] = [arm(), arm()];
    delta += isClaimed(ratioMetric({a, b}));
    naive += Math.abs(zOf(a, b)) > 1.959963984540054 ? 1 : 0;
  }
  return {naivePerRequest: naive / reps, deltaMethod: delta / reps};
}

type Counts = {readonly numerator: Float64Array; readonly denominator: Float64Array};

function zOf(a: Counts, b: Counts): number {
  const total = (values: Float64Array): number => values.reduce((x, y) => x + y, 0);
  const [xa, na, xb, nb] = [a.numerator, a.denominator, b.numerator, b.denominator].map(total) as [number, number, number, number];
  const pooled = (xa + xb) / (na + nb);
  return (xa / na - xb / nb) / Math.sqrt(pooled * (1 - pooled) * (1 / na + 1 / nb));
}

const isClaimed = (test: {readonly status: string; readonly pValue?: number}): number => (test.status === 'ok' && (test.pValue ?? 1) < ALPHA ? 1 : 0);
